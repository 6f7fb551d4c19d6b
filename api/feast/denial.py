"""Our errors as Feast's command line understands them: message printed, no traceback, exit code 1.

(Feast's ``FeastProviderLoginError`` would exit with 0, so it is never used.)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from governance.errors import AnswerIsNo, Denied, ProvenderError, WrongQuestion
from lineage.database import database_errors


class FeastDenied(Denied, click.ClickException):
    """A verdict says no, at one of Feast's doors."""


class FeastRefused(AnswerIsNo, click.ClickException):
    """The act failed or may not be done in this way."""


class FeastMisconfigured(WrongQuestion, click.ClickException):
    """The governed repository is not configured as it must be."""

    exit_code = 2


class NotOffered(FeastMisconfigured):
    """This way of asking is not offered; the text says which is."""


@contextmanager
def told_to_feast() -> Iterator[None]:
    """Within, our errors leave as what Feast's command line prints in one message.

    They stay ``Denied``, ``AnswerIsNo`` or ``WrongQuestion``, so SDK callers catch them by our names.
    """
    try:
        with database_errors():
            yield
    except click.ClickException:
        raise
    except Denied as error:
        raise FeastDenied(str(error)) from error
    except AnswerIsNo as error:
        raise FeastRefused(str(error)) from error
    except WrongQuestion as error:
        raise FeastMisconfigured(str(error)) from error
    except ProvenderError as error:
        raise FeastRefused(str(error)) from error

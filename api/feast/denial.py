"""Our errors as Feast understands them: its command line prints the message, no traceback, and exits with 1.

They are Feast's errors too, so that its servers hand them on: a client of the registry server meets the same class.

(Feast's ``FeastProviderLoginError`` would exit with 0, so it is never used.) No message repeats what Arrow says of a
value: it is data, and messages end up in logs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import pyarrow as pa
from feast.errors import FeastError

from audit.verify.errors import VerificationError
from governance.errors import AnswerIsNo, Denied, ProvenderError, WrongQuestion
from lineage.database import database_errors


class FeastDenied(Denied, FeastError, click.ClickException):
    """A verdict says no, at one of Feast's doors."""

    def grpc_status_code(self) -> Any:
        """What Feast's registry server answers with."""
        from grpc import StatusCode  # as in Feast itself, whose command line goes without

        return StatusCode.PERMISSION_DENIED

    def http_status_code(self) -> int:
        """What Feast's feature server answers with: 403, as for its own permissions."""
        return 403


class FeastRefused(AnswerIsNo, FeastError, click.ClickException):
    """The act failed or may not be done in this way."""


class FeastMisconfigured(WrongQuestion, FeastError, click.ClickException):
    """The governed repository is not configured as it must be."""

    exit_code = 2


class NotOffered(FeastMisconfigured):
    """This way of asking is not offered; the text says which is."""


@contextmanager
def told_to_feast() -> Iterator[None]:
    """Within, our errors, and those of files, database and signatures, leave as what Feast prints in one message.

    They are ``Denied``, ``AnswerIsNo`` or ``WrongQuestion``, so SDK callers catch them by our names.
    """
    try:
        with database_errors():
            yield
    except click.ClickException:
        raise
    except Denied as error:
        raise FeastDenied(str(error)) from error
    except AnswerIsNo as error:
        raise FeastRefused(_without_values(error)) from error
    except WrongQuestion as error:
        raise FeastMisconfigured(_without_values(error)) from error
    except ProvenderError as error:
        raise FeastRefused(_without_values(error)) from error
    except VerificationError as error:
        raise FeastRefused(f"Stored evidence does not verify: {error}. Restore it from a backup.") from error
    except pa.ArrowException as error:
        raise FeastRefused(
            f"Arrow refused a value or a type ({type(error).__name__}); what it said of it is left out, because it may"
            " be data. Check the types of the entity rows and of the sources against the declared ones."
        ) from error
    except OSError as error:
        raise FeastMisconfigured(
            f"{_place(error)} could not be used: {error.strerror or type(error).__name__}. Nothing was given out. Check"
            " the paths in the governance block, their permissions and the space left; then run it again."
        ) from error


def _without_values(error: ProvenderError) -> str:
    """What ``error`` says, without what Arrow said of a value."""
    text, cause = str(error), error.__cause__
    if not isinstance(cause, pa.ArrowException) or not str(cause):
        return text
    for said in (str(cause), str(cause).splitlines()[0]):
        text = text.replace(said, type(cause).__name__)
    return text


def _place(error: OSError) -> str:
    return f"The file {error.filename}" if error.filename else "A file or a connection"

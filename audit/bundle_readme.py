"""README.txt of a bundle: what it is, and how a stranger checks it by hand. A test runs its commands as they stand."""

from __future__ import annotations

from audit.evidence import Evidence

TEMPLATE = r"""Evidence about the endpoint: {endpoint}
Made at {created} by the operator's clock; {records} records; ledger at tree size {size}.

report.html says what the endpoint was made from; report.json says the same for programs. Everything else is
what lets you check it without trusting whoever gave you this file:

  records/<id>/envelope.json   a signed statement (in-toto in DSSE) about one act
  records/<id>/salt leaf.json  the leaf of the ledger that commits to it
  records/<id>/proof.json      that this leaf is in the tree below the checkpoint (RFC 6962)
  checkpoint                   the ledger's signed state (C2SP tlog-checkpoint)
  snapshots/ artifacts/        digests of the training data, signatures of the weights
  manifest.json manifest.dsse  the list of all members, and its signature

The program does all of it:  provender verify FILE --trust TRUST [--data DIR]

BY HAND, with tar, sha256sum, python3 (its standard library) and openssl 3. Put this file as bundle.tar and YOUR
trust file as trust.json into an empty directory. The trust file holds the keys that you believe; get it from the
operator another way than this bundle, and have the fingerprints read to you. Signed here by statement key
{key}.

1. Unpack.
~~~
mkdir evidence && tar -xf bundle.tar -C evidence && cp trust.json evidence/ && cd evidence
~~~

2. The members are those of the list.
~~~
python3 -c 'import json; [print(m["sha256"], "", m["path"]) for m in json.load(open("manifest.json"))["members"]]' \
  | sha256sum -c --quiet && echo members OK
~~~

3. The list is signed. This small program takes an envelope apart; openssl checks the signature.
~~~
cat > dsse.py <<'END'
import base64, json, sys
envelope, keys = json.load(open(sys.argv[1])), json.load(open("trust.json"))[sys.argv[2]]
envelope = envelope.get("dsseEnvelope", envelope)
kind, payload = envelope["payloadType"].encode(), base64.b64decode(envelope["payload"])
open("signed", "wb").write(b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload))
open("payload", "wb").write(payload)
open("signature", "wb").write(base64.b64decode(envelope["signatures"][0]["sig"]))
open("key.pem", "w").write(keys[0])
END
python3 dsse.py manifest.dsse statement_keys && cmp payload manifest.json \
  && openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in signed -sigfile signature
~~~

4. Every statement is signed. To read one: python3 -m json.tool payload
~~~
for record in records/*; do
  python3 dsse.py $record/envelope.json statement_keys \
    && openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in signed -sigfile signature || echo "BAD $record"
done
~~~

5. Every leaf commits to its statement: c is HMAC-SHA256(salt, SHA-256(envelope)).
~~~
for record in records/*; do
  salt=$(python3 -c "print(open('$record/salt', 'rb').read().hex())")
  c=$(openssl dgst -sha256 -binary $record/envelope.json | openssl dgst -sha256 -mac HMAC -macopt hexkey:$salt -r)
  grep -q "\"c\":\"${{c%% *}}\"" $record/leaf.json || echo "BAD $record"
done
~~~

6. Every leaf is in the ledger: its proof leads to the root in the checkpoint's third line.
~~~
cat > proof.py <<'END'
import base64, glob, hashlib, json
sha = lambda data: hashlib.sha256(data).digest()
_, size, root = open("checkpoint", encoding="utf-8").read().split("\n")[:3]
for record in sorted(glob.glob("records/*")):
    proof = json.load(open(record + "/proof.json"))
    node, last = proof["index"], int(size) - 1
    assert 0 <= node <= last and proof["tree_size"] == int(size), record
    found = sha(b"\0" + open(record + "/leaf.json", "rb").read())
    for sibling in map(base64.b64decode, proof["hashes"]):
        assert last, record
        if node & 1 or node == last:
            found = sha(b"\1" + sibling + found)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            found = sha(b"\1" + found + sibling)
        node, last = node >> 1, last >> 1
    assert last == 0 and found == base64.b64decode(root), record
print("proofs OK")
END
python3 proof.py
~~~

7. The checkpoint is signed by the log that you trust (the first of your trust file).
~~~
cat > checkpoint.py <<'END'
import base64, json
policy = json.load(open("trust.json"))["tlog_policy"]
name, _, key = next(line for line in policy.split("\n") if line.startswith("log ")).split()[1].split("+", 2)
text, lines = open("checkpoint", encoding="utf-8").read().rsplit("\n\n", 1)
line = next(line for line in lines.split("\n") if line.startswith("\u2014 " + name + " "))
assert text.split("\n")[0] == name
open("signed", "wb").write((text + "\n").encode())
open("signature", "wb").write(base64.b64decode(line.split(" ")[2])[4:])
open("key.der", "wb").write(bytes.fromhex("302a300506032b6570032100") + base64.b64decode(key)[1:])
END
python3 checkpoint.py && openssl pkeyutl -verify -pubin -keyform DER -inkey key.der -rawin -in signed -sigfile signature
~~~

8. The weights are signed. The payload lists the SHA-256 of every file of the model; compare them with the files that
   are served, by sha256sum.
~~~
for signature in artifacts/*/model.sig; do
  python3 dsse.py $signature model_keys && openssl dgst -sha256 -verify key.pem -signature signature signed
done
~~~

What this does not prove: that every act was recorded, that the sources tell the truth, or that the operator's
machines did what their programs say.
"""


def readme(evidence: Evidence, *, created: str, key: str) -> bytes:
    """The bytes of README.txt; ``key`` is the id of the statement key that signs the bundle."""
    size = evidence.checkpoint.split(b"\n")[1].decode("ascii")
    values = {"endpoint": evidence.endpoint, "records": len(evidence.records), "size": size}
    return TEMPLATE.format(**values, created=created, key=key).encode()

#!/usr/bin/env bash
# An authority and a certificate for the webhook, without any other software; prints the caBundle.
# Usage: certificates.sh DIRECTORY [DAYS]. Then: kubectl -n provender create secret tls admission-tls --cert=... --key=...
set -euo pipefail
out=${1:?the directory for keys and certificates}
days=${2:-365}
name=admission.provender.svc
umask 077
mkdir -p "$out"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days "$days" -subj "/CN=Provender admission authority" \
  -keyout "$out/ca.key" -out "$out/ca.crt" 2> /dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" -keyout "$out/tls.key" -out "$out/tls.csr" 2> /dev/null
printf 'subjectAltName=DNS:%s,DNS:%s.cluster.local\nextendedKeyUsage=serverAuth\nbasicConstraints=critical,CA:FALSE\n' "$name" "$name" > "$out/tls.ext"
openssl x509 -req -in "$out/tls.csr" -CA "$out/ca.crt" -CAkey "$out/ca.key" -days "$days" -extfile "$out/tls.ext" -out "$out/tls.crt" 2> /dev/null
rm "$out/tls.csr" "$out/tls.ext"
base64 -w0 "$out/ca.crt"
echo

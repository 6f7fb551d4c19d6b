// Verifies a checkpoint, inclusion proofs and a consistency proof with Go's own sumdb/note and sumdb/tlog, which know
// nothing of Provender. Input on stdin, one JSON object; prints "verified" or fails.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type input struct {
	VKey      string
	Old, New  []byte
	Proof     [][]byte
	Inclusion []struct {
		Index  int64
		Leaf   []byte
		Hashes [][]byte
	}
}

func hash(data []byte) (h tlog.Hash) {
	if copy(h[:], data) != tlog.HashSize {
		log.Fatalf("a hash of %d bytes", len(data))
	}
	return h
}

func hashes(data [][]byte) (all []tlog.Hash) {
	for _, each := range data {
		all = append(all, hash(each))
	}
	return all
}

func open(msg []byte, vkey string) (int64, tlog.Hash) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		log.Fatal(err)
	}
	opened, err := note.Open(msg, note.VerifierList(verifier))
	if err != nil {
		log.Fatal(err)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		log.Fatalf("not a checkpoint of %s: %q", verifier.Name(), lines)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		log.Fatal(err)
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil {
		log.Fatal(err)
	}
	return size, hash(root)
}

func main() {
	var in input
	if err := json.NewDecoder(os.Stdin).Decode(&in); err != nil {
		log.Fatal(err)
	}
	oldSize, oldRoot := open(in.Old, in.VKey)
	size, root := open(in.New, in.VKey)
	if err := tlog.CheckTree(hashes(in.Proof), size, root, oldSize, oldRoot); err != nil {
		log.Fatal(err)
	}
	for _, each := range in.Inclusion {
		if err := tlog.CheckRecord(hashes(each.Hashes), size, root, each.Index, tlog.RecordHash(each.Leaf)); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Printf("verified %d of %d\n", len(in.Inclusion), size)
}

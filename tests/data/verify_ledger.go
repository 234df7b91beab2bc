// Verifies ledgers, and proofs about them, with code of the Go project: the packages note and
// tlog of golang.org/x/mod/sumdb, by which go verifies its checksum database.
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run verify_ledger.go ledger LEDGER KEY.pub
//	... proof PROOF ENTRY KEY.pub
//	... extends PROOF OLD-HEAD KEY.pub
//	... cosigned HEAD KEY.pub WITNESS.pub
//
// 'ledger' takes ledgers whose key has not changed. Exit code 0: it holds; 1: it does not.
package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type head struct {
	origin string
	size   int64
	root   tlog.Hash
}

func read(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	return string(data)
}

func verifier(path string) note.Verifier {
	v, err := note.NewVerifier(strings.TrimSpace(read(path)))
	if err != nil {
		panic(err)
	}
	return v
}

// open verifies a signed head and returns what it says.
func open(text string, verifiers ...note.Verifier) (head, error) {
	n, err := note.Open([]byte(text), note.VerifierList(verifiers...))
	if err != nil {
		return head{}, err
	}
	if len(n.Sigs) != len(verifiers) {
		return head{}, errors.New("a signature is missing")
	}
	rows := strings.Split(n.Text, "\n")
	size, err := strconv.ParseInt(rows[1], 10, 64)
	if err != nil {
		return head{}, err
	}
	root, err := tlog.ParseHash(rows[2])
	return head{rows[0], size, root}, err
}

// A ledger: the root of its lines is that of its last seal.
func ledger(path, key string) error {
	parts := strings.Split(read(path+".seals"), "\n\n")
	body, signature := parts[len(parts)-2], parts[len(parts)-1]
	h, err := open(body+"\n\n"+signature, verifier(key))
	if err != nil {
		return err
	}
	lines := strings.SplitAfter(read(path), "\n")
	if int64(len(lines)-1) < h.size {
		return errors.New("the ledger is shorter than its last seal says")
	}
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, at := range indexes {
			out[i] = stored[at]
		}
		return out, nil
	})
	for i := int64(0); i < h.size; i++ {
		hashes, err := tlog.StoredHashes(i, []byte(strings.TrimSuffix(lines[i], "\n")), reader)
		if err != nil {
			return err
		}
		stored = append(stored, hashes...)
	}
	root, err := tlog.TreeHash(h.size, reader)
	if err == nil && root != h.root {
		err = errors.New("the lines have another root")
	}
	return err
}

// The number, the hashes and the head of a proof file.
func split(path, first string) (int64, []tlog.Hash, string) {
	top, rest, _ := strings.Cut(read(path), "\n\n")
	rows := strings.Split(top, "\n")
	if first == "index " {
		rows = rows[1:]
	}
	number, err := strconv.ParseInt(strings.TrimPrefix(rows[0], first), 10, 64)
	if err != nil {
		panic(err)
	}
	var hashes []tlog.Hash
	for _, row := range rows[1:] {
		hash, err := tlog.ParseHash(row)
		if err != nil {
			panic(err)
		}
		hashes = append(hashes, hash)
	}
	return number, hashes, rest
}

func proof(path, entry, key string) error {
	index, hashes, text := split(path, "index ")
	h, err := open(text, verifier(key))
	if err != nil {
		return err
	}
	line := strings.TrimSuffix(read(entry), "\n")
	return tlog.CheckRecord(tlog.RecordProof(hashes), h.size, h.root, index,
		tlog.RecordHash([]byte(line)))
}

func extends(path, old, key string) error {
	size, hashes, text := split(path, "old ")
	h, err := open(text, verifier(key))
	if err != nil {
		return err
	}
	before, err := open(read(old), verifier(key))
	if err != nil {
		return err
	}
	if before.size != size || before.origin != h.origin {
		return errors.New("the proof is about another head")
	}
	return tlog.CheckTree(tlog.TreeProof(hashes), h.size, h.root, before.size, before.root)
}

// cosigner is a note.Verifier for c2sp.org/tlog-cosignature, which package note does not know.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (c cosigner) Name() string    { return c.name }
func (c cosigner) KeyHash() uint32 { return c.hash }
func (c cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "cosignature/v1\ntime %d\n", binary.BigEndian.Uint64(sig))
	text.Write(msg)
	return ed25519.Verify(c.key, text.Bytes(), sig[8:])
}

func cosigned(path, key, witness string) error {
	parts := strings.SplitN(strings.TrimSpace(read(witness)), "+", 3)
	hash, err := strconv.ParseUint(parts[1], 16, 32)
	if err != nil {
		return err
	}
	blob, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(blob) != 33 || blob[0] != 4 {
		return errors.New("this is no key of a witness")
	}
	_, err = open(read(path), verifier(key), cosigner{parts[0], uint32(hash), blob[1:]})
	return err
}

func main() {
	a := os.Args[1:]
	err := errors.New("expected: ledger, proof, extends or cosigned, and files")
	switch {
	case len(a) == 3 && a[0] == "ledger":
		err = ledger(a[1], a[2])
	case len(a) == 4 && a[0] == "proof":
		err = proof(a[1], a[2], a[3])
	case len(a) == 4 && a[0] == "extends":
		err = extends(a[1], a[2], a[3])
	case len(a) == 4 && a[0] == "cosigned":
		err = cosigned(a[1], a[2], a[3])
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("it holds")
}

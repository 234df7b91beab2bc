#!/bin/bash
# The built-in data sets: the list, what is written, and what is refused.
. "$(dirname "$0")/../lib.sh"

tab=$(printf '\t')

expect 0 "$rf_bin" data list
for rule in material check hanging; do
    said_once "--rule=$rule" out
done
if have_python; then
    expect 0 "$rf_bin" data list --json
    [ "$(json out 'd["command"], len(d["sets"]), d["sets"][0]["name"]')" = \
        "('data', 3, 'chess-rules')" ] || fail "the JSON list: $(cat out)"
fi

# Balanced answers, a line per example, nothing twice.
for rule in material check hanging; do
    expect 0 "$rf_bin" data chess-rules --rule $rule --n 200
    [ "$(head -n 1 out)" = "fen${tab}label${tab}split" ] || fail "the heading of $rule"
    sed 1d out >lines
    [ "$(wc -l <lines)" -eq 200 ] || fail "$(wc -l <lines) examples of $rule, expected 200"
    [ "$(grep -c "${tab}yes${tab}" lines)" -eq 100 ] || fail "$rule is not balanced"
    [ "$(cut -f1 lines | sort -u | wc -l)" -eq 200 ] || fail "a position of $rule twice"
    [ "$(cut -f3 lines | sort | uniq -c | tr -s ' ' | tr '\n' ';')" = \
        " 80 strong; 20 test; 20 validation; 80 weak;" ] || fail "the splits of $rule"
    grep -vqE "^[1-8a-zA-Z/]+ w (-|[KQkq]+) (-|[a-h]6) 0 1${tab}(yes|no)${tab}[a-z]+$" lines &&
        fail "a line of another form"
done

# A file holds the same bytes; the seed changes the halves, and only them.
expect 0 "$rf_bin" data chess-rules --n 100 -o one.tsv
[ -s out ] && fail "output on stdout although a file is named"
"$rf_bin" data chess-rules --n 100 >again.tsv
cmp -s one.tsv again.tsv || fail "the same data set differs"
expect 0 "$rf_bin" data chess-rules --n 100 --seed 2 -o two.tsv
cmp -s one.tsv two.tsv && fail "another seed, the same halves"
[ "$(grep -E "(test|validation)$" one.tsv)" = "$(grep -E "(test|validation)$" two.tsv)" ] ||
    fail "another seed, another test"

expect 2 "$rf_bin" data chess --n 100
said_once "no data set 'chess'" err
expect 2 "$rf_bin" data chess-rules --rule endgame
said_once "'endgame'" err
expect 2 "$rf_bin" data chess-rules --n 3
expect 2 "$rf_bin" data chess-rules --json
expect 2 "$rf_bin" data
expect 3 "$rf_bin" data chess-rules --n 20 -o none/there.tsv
[ "$(wc -l <err)" -eq 1 ] || fail "more than one message"
if [ -w /dev/full ]; then
    "$rf_bin" data chess-rules --n 20 >/dev/full 2>err
    [ $? -eq 3 ] || fail "a full disk is not exit code 3"
fi
exit 0

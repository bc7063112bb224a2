#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
# What is documented is what there is: --help, certrotate(1), the completion and README.md have the same
# commands and options, and the completion completes.
set -u
cd "$(dirname "$0")/../.." || exit 1
CERTROTATE=$(realpath "${1:-build}")/certrotate
# shellcheck source=tests/integration/lib.sh
. tests/integration/lib.sh
begin docs
need mandoc mandoc
[ -x "$CERTROTATE" ] || die "$CERTROTATE is missing: make all"
unset CERTROTATE_ENV
mandoc -Tascii man/certrotate.1 | sed $'s/.\b//g' >"$T/man"
COMMANDS=$("$CERTROTATE" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\)  .*/\1/p')
long() { grep -oE -- '--[a-z][a-z-]*' | sort -u; }
words() { tr -s ' ' '\n' <<<"$1" | sort -u; }
options_of() { # COMMAND: the long options in its help
  "$CERTROTATE" "$1" --help | grep -oE '^ +(-., )?--[a-z-]+' | long
}
ALL_OPTIONS=$("$CERTROTATE" --help | grep -oE '^ +(-., )?--[a-z-]+' | long)
EVERY=$(for command in $COMMANDS; do options_of "$command"; done | sort | uniq -c | awk -v n="$(wc -w <<<"$COMMANDS")" '$1 == n {print $2}')
same() { diff <(words "$1") <(words "$2"); }

# Which commands an entry of the manual is for: ".Pq Ic next , Ic plan" below ".It Fl -first".
manual_options_of() {
  awk -v command="$1" '
    /^\.It .*Fl -/ { n = 0; line = $0; while (match(line, /Fl -[a-z][a-z-]*/)) { names[n++] = "-" substr(line, RSTART + 3, RLENGTH - 3); line = substr(line, RSTART + RLENGTH) } getline
      if ($1 != ".Pq" || index($0, "Ic " command " ") || $0 ~ "Ic " command "$") for (i = 0; i < n; i++) print names[i] }' man/certrotate.1 | sort -u
}

# The words that bash would offer for a command line; its last word is what is being typed.
complete_line() {
  (
    # shellcheck source=completion/certrotate.bash
    . completion/certrotate.bash
    cd "${IN:-.}" || exit 1
    # shellcheck disable=SC2030 # each line is completed in a shell of its own
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _certrotate
    [ ${#COMPREPLY[@]} = 0 ] || printf '%s\n' "${COMPREPLY[@]}"
  )
}

check 'there are commands and options to compare' test "$(wc -w <<<"$COMMANDS")" -ge 10 -a "$(wc -w <<<"$EVERY")" = 8
check 'certrotate(1) has these commands and no other' same "$COMMANDS" "$(sed -n '/^\.Sh COMMANDS/,/^\.Sh OPTIONS/s/^\.It Ic //p' man/certrotate.1)"
# shellcheck disable=SC2016 # the backquotes are Markdown's
check 'README.md has these commands and no other' same "$COMMANDS" "$(sed -n '/^| command |/,/^$/s/^| `\([a-z]*\)` |.*/\1/p' README.md)"
check 'the completion has these commands and no other' same "$COMMANDS" "$(complete_line certrotate '')"
check 'certrotate(1) names no other option' same "$ALL_OPTIONS" "$(sed 's/ansible-playbook//g' "$T/man" | long)"
check 'README.md names no other option' same "$ALL_OPTIONS" "$(sed '/ansible-vault/d' README.md | long)"
for command in $COMMANDS; do
  options=$(options_of "$command")
  check "certrotate(1) has the options of $command" same "$options" "$(manual_options_of "$command")"
  check "the completion has the options of $command" same "$options" "$(complete_line certrotate "$command" -- | grep -- ^--)"
  check "its letters are taken" bash -c "for letter in $(complete_line certrotate "$command" - | grep -E '^-[a-zA-Z]$' | tr '\n' ' '); do '$CERTROTATE' $command --help | grep -q -- \"\$letter, \" || exit 1; done"
done
readme_options_of() {
  sed -n '/^| option |/,/^$/p' README.md | awk -F'|' -v command="\`$1\`" 'index($3, command)' | grep -v '^$' | awk -F'|' '{print $2}' | long
}
for command in $COMMANDS; do
  own=$(comm -23 <(options_of "$command") <(words "$EVERY"))
  check "README.md has the own options of $command" same "$own" "$(readme_options_of "$command")"
done
check 'README.md has what all take' same "$EVERY" "$(sed -n '/^All take/,/^$/p' README.md | long)"

# What is completed behind an option.
states=$("$CERTROTATE" states | awk '{print $1}')
check 'states behind --to' same "$states" "$(complete_line certrotate next --to '')"
check 'and behind --to=' same "$states" "$(complete_line certrotate next --to = '')"
check 'a state by its beginning' test "$(complete_line certrotate revert --to cl)" = clients-switched
mkdir -p "$T/repo/environments/poc" "$T/repo/environments/prod" "$T/repo/environments/acc" && touch "$T/repo/environments/README"
check 'environments of another folder behind --env' same 'acc poc prod' "$(complete_line certrotate -C "$T/repo" next --env '')"
check 'and with the name joined' same 'poc prod' "$(complete_line certrotate "-C$T/repo" next --env = p)"
check 'environments of this folder' same 'acc poc prod' "$(IN=$T/repo complete_line certrotate next --env '')"
check 'commands by their beginning' same 'states status' "$(complete_line certrotate stat)"
check 'a value is no command' same "$COMMANDS" "$(complete_line certrotate --env next '')"
check 'nothing behind a reason' test -z "$(complete_line certrotate next --emergency '')"

# The help itself.
check 'help fits 80 columns' bash -c "for c in '' $(tr '\n' ' ' <<<"$COMMANDS"); do '$CERTROTATE' \$c --help; done | awk 'length > 80 {print; bad = 1} END {exit bad}'"
check 'the version is the Makefile'"'"'s' test "$("$CERTROTATE" --version)" = "certrotate $(sed -n 's/^VERSION = //p' Makefile)"
check 'the changelog has it' grep -q "^## .*$(sed -n 's/^VERSION = //p' Makefile)" CHANGELOG.md
"$CERTROTATE" >"$T/out" 2>"$T/err"
check 'without a command it ends with 2' test $? = 2
check 'and says so on standard error' grep -qx 'certrotate: no command given' "$T/err"
"$CERTROTATE" nxt 2>"$T/err"
check 'an unknown command ends with 2' test $? = 2
check 'and the nearest is offered' bash -c "diff '$T/err' <(printf \"certrotate: unknown command 'nxt'\nHINT: did you mean 'next'?\n\")"
"$CERTROTATE" --help >/dev/full 2>"$T/err"
check 'output that cannot be written is a failure' test $? = 1
check 'which is said' grep -q 'cannot write to standard output' "$T/err"

# Every link of the README leads somewhere, and every room is in it.
check 'links lead somewhere' bash -c "grep -oE '\]\([^)#]+\)' README.md | tr -d ']()' | grep -v '^http' | while read -r file; do [ -e \"\$file\" ] || exit 1; done"
check 'every room is in the README' bash -c "for room in lib/*/; do grep -q \"\${room%/} \" README.md || { echo \"\$room\"; exit 1; }; done"
check 'the manual is clean' mandoc -Tlint -Wwarning man/certrotate.1 man/certrotate.yml.5

finish

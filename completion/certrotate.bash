# SPDX-License-Identifier: PostgreSQL
# shellcheck shell=bash
# Completion of certrotate(1) for bash.

_certrotate_environments() { # DIR: the names of its environments
  local folder
  for folder in "$1"/environments/*/; do
    [ -d "$folder" ] || continue
    folder=${folder%/}
    printf '%s\n' "${folder##*/}"
  done
}

_certrotate_options() { # COMMAND: the options that it takes; without one those of every command
  local every='-C --directory -c --config --env --json -v --verbose -q --quiet -h --help -V --version'
  case $1 in
  plan) echo "$every --waive --first --emergency" ;;
  next) echo "$every --to -y --yes --waive --first --emergency --take-over" ;;
  revert) echo "$every --to -y --yes --waive --take-over --prune --wave" ;;
  prove) echo "$every --waive" ;;
  census) echo "$every --record" ;;
  ack) echo "$every --app --by" ;;
  deliver) echo "$every --app --phase --out --passphrase-file" ;;
  verify) echo "$every --no-login --no-hosts" ;;
  check) echo "$every --warning --critical --prometheus --notify" ;;
  states) echo "$every --dot" ;;
  *) echo "$every" ;;
  esac
}

_certrotate() {
  local commands='plan next revert status verify prove census ack deliver log check states'
  local states='absent idle generated trusted servers-switched clients-switched'
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
  local command='' dir=. i word
  COMPREPLY=()
  # Readline makes three words of --env=poc.
  if [ "$cur" = '=' ]; then
    cur=''
  elif [ "$prev" = '=' ] && [ "$COMP_CWORD" -ge 2 ]; then
    prev=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    case $word in
    -C | --directory)
      [ "${COMP_WORDS[i + 1]}" != '=' ] || ((i++))
      [ $((i + 1)) -ge "$COMP_CWORD" ] || dir=${COMP_WORDS[i + 1]/#\~/$HOME}
      ((i++))
      ;;
    -C?*) dir=${word#-C} ;;
    -c | --config | --env | --to | --waive | --emergency | --app | --by | --phase | --out | --passphrase-file | --warning | --critical)
      [ "${COMP_WORDS[i + 1]}" != '=' ] || ((i++))
      ((i++))
      ;;
    [a-z]*) [ -n "$command" ] || command=$word ;;
    esac
  done
  case $prev in
  -C | --directory | --out)
    mapfile -t COMPREPLY < <(compgen -d -- "$cur")
    return
    ;;
  -c | --config | --passphrase-file)
    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    return
    ;;
  --env)
    mapfile -t COMPREPLY < <(compgen -W "$(_certrotate_environments "$dir")" -- "$cur")
    return
    ;;
  --to)
    mapfile -t COMPREPLY < <(compgen -W "$states" -- "$cur")
    return
    ;;
  --phase)
    mapfile -t COMPREPLY < <(compgen -W 'trust clients prune present' -- "$cur")
    return
    ;;
  --waive)
    mapfile -t COMPREPLY < <(compgen -W 'hosts=' -- "$cur")
    return
    ;;
  --emergency | --app | --by | --warning | --critical) return ;;
  esac
  if [[ $cur == -* || -n $command ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_certrotate_options "$command")" -- "$cur")
  else
    mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur")
  fi
}

complete -F _certrotate certrotate

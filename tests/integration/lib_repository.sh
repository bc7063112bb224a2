# SPDX-License-Identifier: PostgreSQL
# shellcheck shell=bash
#
# A repository for the integration tests: a checkout in $R of a bare remote, with a vault's password, Ansible's
# configuration and the shipped playbooks, and what is done with it. To be sourced behind lib.sh; needs $BUILD and $ROOT.
#
#   new_repository         makes it, empty of an environment: write $R/config/…, $R/environments/poc/…, then
#   team_commits MESSAGE   a commit by somebody of the team, pushed: what is in the checkout now
#   rotate COMMAND...      certrotate in it; go COMMAND... with --yes
#   play [PLAYBOOK [ARGUMENT...]]
#   state EXPRESSION       Python's value of it, with the state on the remote's base as d
#   killed COMMAND...      passes where certrotate is killed at the moment in which its edit is published

new_repository() {
  R=$T/repository
  export HOME=$T/home ANSIBLE_HOME=$T/ansible GIT_CONFIG_NOSYSTEM=1 ANSIBLE_NOCOLOR=1 NO_COLOR=1
  unset ANSIBLE_CONFIG ANSIBLE_VAULT_PASSWORD_FILE CERTROTATE_ENV
  mkdir -p "$T/ansible" "$HOME" "$R/config" "$R/environments/poc/group_vars/all"
  printf '#!/bin/sh\necho a-password\n' >"$T/vault-password"
  chmod 755 "$T/vault-password"
  git config --file "$HOME/.gitconfig" user.name "A DBA"
  git config --file "$HOME/.gitconfig" user.email dba@example.com
  quietly git init -q --bare -b dev "$T/remote.git"
  kill_hook >"$T/remote.git/hooks/post-receive"
  chmod 755 "$T/remote.git/hooks/post-receive"
  quietly git init -q -b dev "$R"
  git -C "$R" remote add origin "$T/remote.git"
  cp -r "$ROOT"/playbooks/{rollout_new_certs.yml,library,module_utils,action_plugins} "$R"
  find "$R" -name __pycache__ -prune -exec rm -rf {} +
  cat >"$R/ansible.cfg" <<EOF
[defaults]
$ANSIBLE_DEFAULTS
vault_password_file = $T/vault-password
local_tmp = $T/ansible
remote_tmp = $T/ansible
retry_files_enabled = false
localhost_warning = false
EOF
}

# Where it is armed, certrotate is killed at the very moment in which its edit is published.
kill_hook() {
  cat <<EOF
#!/bin/sh
[ -e '$T/armed' ] || exit 0
rm '$T/armed'
kill -9 "\$(cat '$T/pid')"
EOF
}

killed() {
  local got=0
  touch "$T/armed"
  # shellcheck disable=SC2016
  sh -c 'echo $$ >"$0" && exec "$@"' "$T/pid" "$BUILD/certrotate" -C "$R" "$@" --yes >"$T/said" 2>&1 || got=$?
  is "$got, $(state "d['under_way'] is not None")" "137, True" || {
    cat "$T/said"
    return 1
  }
}

team_commits() {
  git -C "$R" add -A
  quietly git -C "$R" commit -q -m "$1"
  quietly git -C "$R" push -q -u origin HEAD:dev
}

rotate() {
  "$BUILD/certrotate" -C "$R" "$@"
}

go() {
  rotate "$@" --yes
}

play() {
  local playbook=${1:-rollout_new_certs.yml}
  [ $# = 0 ] || shift
  (cd "$R" && ansible-playbook -i environments/poc "$playbook" "$@")
}

state() {
  git --git-dir "$T/remote.git" show "dev:.certrotate/poc/state.json" |
    /usr/bin/python3 -c "import json,sys; d=json.load(sys.stdin); d.setdefault('under_way', None); print($1)"
}

# whole STATE: the phase is complete
whole() {
  is "$(state "d['state'], d['under_way']")" "$1 None"
}

tip() {
  git --git-dir "$T/remote.git" rev-parse dev
}

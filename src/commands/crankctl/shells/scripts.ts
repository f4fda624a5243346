// The completion scripts for bash, zsh and fish. They know nothing of commands and flags: they pass the words of the command line
// to `crankctl __complete` (src/commands/completion/), which prints what is left for the shell to complete (`files`,
// `directories`, `command`, `users` or `words`), and then candidates, each with a tab and a description.

const BASH = `# Completion of crank, crankctl and crankx for bash. Written by "crankctl completion bash".
_crankctl() {
  local rest=\${COMP_LINE:0:COMP_POINT} word words=() index
  # bash splits words at = and :, which crankctl does not: words without space between them are joined again.
  for ((index = 0; index <= COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    if ((index == 0)) || [[ $rest == [[:space:]]* ]]; then
      rest=\${rest#"\${rest%%[![:space:]]*}"}
      words+=("")
    fi
    ((index < COMP_CWORD)) || word=$rest
    rest=\${rest#"$word"}
    words[\${#words[@]} - 1]+=$word
  done
  local typed=\${words[\${#words[@]} - 1]} program=crankctl kind= line candidates=()
  [[ \${words[0]} != */* ]] || program=\${words[0]%/*}/crankctl
  program=\${program/#\\~/$HOME}
  while IFS= read -r line; do
    if [[ -z $kind ]]; then kind=$line; else candidates+=("\${line%%$'\\t'*}"); fi
  done < <("$program" __complete "\${words[@]}" 2>/dev/null)
  # What stands before the last separator of words is on the line already.
  local last=$typed kept=
  while [[ $last == *[=:@]* ]]; do
    local before=\${last%%[=:@]*}
    local separator=\${last:\${#before}:1}
    last=\${last:\${#before} + 1}
    [[ $COMP_WORDBREAKS != *"$separator"* ]] || kept=\${typed:0:\${#typed} - \${#last}}
  done
  COMPREPLY=("\${candidates[@]#"$kept"}")
  if [[ \${#candidates[@]} -gt 0 ]]; then
    [[ \${#candidates[@]} -gt 1 || \${candidates[0]} != *[=:] ]] || compopt -o nospace 2>/dev/null
    return
  fi
  local path=\${typed#-*=}
  case $kind in
  files) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$path") ;;
  directories) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$path") ;;
  command) mapfile -t COMPREPLY < <(compgen -c -- "$path") ;;
  users) mapfile -t COMPREPLY < <(compgen -u -- "$path") ;;
  esac
}
complete -F _crankctl crank crankctl crankx
`;

const ZSH = `#compdef crank crankctl crankx
# Completion of crank, crankctl and crankx for zsh. Written by "crankctl completion zsh".
_crankctl() {
  local program=crankctl kind line
  local -a before answer values shown openValues openShown
  before=("\${(@Q)words[1,CURRENT-1]}")
  [[ $before[1] != */* ]] || program=\${~before[1]%/*}/crankctl
  answer=("\${(@f)$($program __complete "\${before[@]}" "\${(Q)PREFIX}" 2>/dev/null)}")
  kind=$answer[1]
  for line in "\${answer[@]:1}"; do
    [[ -n $line ]] || continue
    # A value that more has to follow gets no space.
    if [[ \${line%%$'\\t'*} == *[=:] ]]; then
      openValues+=("\${line%%$'\\t'*}")
      openShown+=("\${line/$'\\t'/  -- }")
    else
      values+=("\${line%%$'\\t'*}")
      shown+=("\${line/$'\\t'/  -- }")
    fi
  done
  if (( $#values + $#openValues )); then
    (( $#values == 0 )) || compadd -l -d shown -a values
    (( $#openValues == 0 )) || compadd -l -S '' -d openShown -a openValues
    return
  fi
  [[ $PREFIX != -*=* ]] || compset -P '*='
  case $kind in
  files) _files ;;
  directories) _files -/ ;;
  command) _command_names -e ;;
  users) _users ;;
  *) return 1 ;;
  esac
}
if [[ $funcstack[1] == _crankctl ]]; then
  _crankctl "$@"
elif (( $+functions[compdef] )); then
  compdef _crankctl crank crankctl crankx
fi
`;

const FISH = `# Completion of crank, crankctl and crankx for fish. Written by "crankctl completion fish".
function __crankctl_complete
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    set -l program crankctl
    if string match -q '*/*' -- $words[1]
        set program (string replace -r '/[^/]*$' /crankctl -- $words[1] | string replace -r '^~' $HOME)
    end
    set -l answer ($program __complete $words "$typed" 2>/dev/null)
    set -l kind $answer[1]
    set -e answer[1]
    if test (count $answer) -gt 0
        printf '%s\\n' $answer
        return
    end
    set -l flag (string match -r '^-[^=]*=' -- "$typed")
    set -l path (string replace -r '^-[^=]*=' '' -- "$typed")
    switch "$kind"
        case files
            printf "$flag%s\\n" (__fish_complete_path "$path")
        case directories
            printf "$flag%s\\n" (__fish_complete_directories "$path" '')
        case command
            complete -C "$path"
        case users
            printf "$flag%s\\n" (__fish_complete_users)
    end
end
for program in crank crankctl crankx
    complete -c $program -f -a '(__crankctl_complete)'
end
`;

/** The script of each shell. */
export const SCRIPTS = { bash: BASH, zsh: ZSH, fish: FISH } as const;

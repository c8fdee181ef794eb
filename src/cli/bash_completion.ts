// The completion script for bash: one function over COMP_WORDS that needs nothing but bash itself.
import { assert } from "../base/assert.ts";
import type { Completable, CompletedCommand, CompletedOption } from "./completable.ts";

export function bashScript(commands: readonly CompletedCommand[]): string {
  return `# bash completion for varta-watch; made by "varta-watch completions bash"

# Names of live agents that begin with $1, of which readline replaces $2.
_varta_watch_agents() {
  local lead=\${1%"$2"} name
  while IFS= read -r name; do
    COMPREPLY+=("\${name#"$lead"}")
  done < <("\${COMP_WORDS[0]}" completions --names \${control:+--control "$control"} -- "$1" 2>/dev/null)
}

_varta_watch() {
  local command= control= skip= word before=
  local -i operands=0
  local -a words=()
  COMPREPLY=()

  # ":" and "@", which names have, break words: here they are whole again.
  for word in "\${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
    if [[ $word == [:@]* && $before == [!-]* || $before == [!-]*[:@] ]]; then
      words[\${#words[@]} - 1]+=$word
    else
      words+=("$word")
    fi
    before=\${words[\${#words[@]} - 1]}
  done
  local -i last=\${#words[@]}-1
  local cur=\${words[last]} prev=\${words[last - 1]}

  # Where "=" breaks words, --option=value arrives as three of them.
  if [[ $cur == "=" ]]; then
    cur=
  elif [[ $prev == "=" ]]; then
    prev=\${words[last - 2]}
  fi

  for word in "\${words[@]:1:last-1}"; do
    if [[ -n $skip ]]; then
      [[ $word == "=" ]] && continue
      [[ $skip == --control ]] && control=$word
      skip=
      continue
    fi
    case $word in
    ${valueOptions(commands).join(" | ")})
      skip=$word
      ;;
    -*) ;;
    *)
      if [[ -z $command ]]; then command=$word; else operands+=1; fi
      ;;
    esac
  done

  case $prev in
${valueCases(commands).join("\n")}
  esac

  if [[ $cur == -* ]]; then
    case \${command:-run} in
${commands.map(optionCase).join("\n")}
    esac
    return
  fi

  case $command:$operands in
  :0)
    ${reply({ is: "words", words: commands.map(({ name }) => name) })}
    ;;
${commands.flatMap(operandCase).join("\n")}
  esac
}

complete -F _varta_watch varta-watch
`;
}

/** Options that take the next word, in all their spellings. */
function valueOptions(commands: readonly CompletedCommand[]): string[] {
  const taking = commands.flatMap(({ options }) => options.filter(({ value }) => value));
  return [...new Set(taking.flatMap(spellings))];
}

// One case for all options with the same values. An option means the same in every command that has
// it.
function valueCases(commands: readonly CompletedCommand[]): string[] {
  const actions = new Map<string, string>();
  for (const option of commands.flatMap(({ options }) => options)) {
    if (option.value === undefined) continue;
    const action = reply(option.value.may);
    for (const spelt of spellings(option)) {
      assert((actions.get(spelt) ?? action) === action, "one option, one meaning");
      actions.set(spelt, action);
    }
  }
  const cases = Map.groupBy(actions.keys(), (spelt) => actions.get(spelt)!);
  return [...cases].map(
    ([action, spelt]) => `  ${spelt.join(" | ")})\n${indented(action)}    return\n    ;;`,
  );
}

function optionCase({ name, options }: CompletedCommand): string {
  const words = options.flatMap(spellings);
  return `    ${name})\n      ${reply({ is: "words", words })}\n      ;;`;
}

function operandCase({ name, firstOperand, nextOperand }: CompletedCommand): string[] {
  const cases = [
    { pattern: `${name}:0`, may: firstOperand },
    { pattern: `${name}:*`, may: nextOperand },
  ];
  return cases
    .filter(({ may }) => may.is !== "nothing")
    .map(({ pattern, may }) => `  ${pattern})\n${indented(reply(may))}    ;;`);
}

function reply(completable: Completable): string {
  switch (completable.is) {
    case "nothing":
      return "";
    case "file":
      return "local IFS=$'\\n'\ncompopt -o filenames 2>/dev/null\nCOMPREPLY=($(compgen -f -- \"$cur\"))";
    case "agent":
      return `_varta_watch_agents "$cur" "\${2-$cur}"`;
    case "words":
      return `COMPREPLY=($(compgen -W "${completable.words.join(" ")}" -- "$cur"))`;
  }
}

function indented(action: string): string {
  return action === "" ? "" : `${action.replaceAll(/^/gm, "    ")}\n`;
}

function spellings({ name, short }: CompletedOption): string[] {
  return short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`];
}

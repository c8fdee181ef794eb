// The completion script for zsh: _arguments specifications, one set per command. The options of the
// daemon stand at the top, because its command word may be left out.
import type { Completable, CompletedCommand, CompletedOption } from "./completable.ts";

export function zshScript(commands: readonly CompletedCommand[]): string {
  const daemon = commands.find(({ name }) => name === "run")!;
  return `#compdef varta-watch
# zsh completion for varta-watch; made by "varta-watch completions zsh"

# Names of live agents; none where no daemon answers.
_varta_watch_agents() {
  local control=\${(Q)opt_args[--control]}
  local -a names=(
    \${(f)"$($program completions --names \${control:+--control=$control} -- "$PREFIX" 2>/dev/null)"}
  )
  compadd -a names
}

_varta_watch() {
  local curcontext=$curcontext state line program=$words[1]
  local -i failed=1
  local -A opt_args
  local -a commands=(
${commands.map(({ name, summary }) => `    ${inQuotes(`${name}:${summary}`)}`).join("\n")}
  )

  _arguments -C -A '-*' \\
${daemon.options.flatMap(specifications).map(continued).join("\n")}
    '1: :->command' \\
    '*:: :->rest' && failed=0

  case $state in
  command)
    _describe -t commands command commands && failed=0
    ;;
  rest)
    curcontext=\${curcontext%:*:*}:varta-watch-$words[1]:
    case $words[1] in
${commands.map(commandCase).join("\n")}
    esac
    ;;
  esac
  return failed
}

# Autoloaded from fpath the file is the function; sourced it only defines it.
if [[ $funcstack[1] == _varta_watch || $funcstack[1] == _varta-watch ]]; then
  _varta_watch "$@"
else
  compdef _varta_watch varta-watch
fi
`;
}

function commandCase({ name, options, firstOperand, nextOperand }: CompletedCommand): string {
  const specs = options.flatMap(specifications);
  // An operand without an action would keep zsh from completing the options.
  if (firstOperand.is !== "nothing") specs.push(inQuotes(`1: :${action(firstOperand)}`));
  if (nextOperand.is !== "nothing") specs.push(inQuotes(`*: :${action(nextOperand)}`));
  return `    ${name})
      _arguments \\
${specs.map((spec) => `        ${spec}`).join(" \\\n")} && failed=0
      ;;`;
}

/** `--name=[help]:VALUE:action`, twice if there is a short form; the one excludes the other. */
function specifications({ name, short, help, value, repeats }: CompletedOption): string[] {
  const text = `[${help.replaceAll(/[[\]\\]/g, "\\$&")}]`;
  const operand = value === undefined ? "" : `:${value.name}:${action(value.may)}`;
  const long = value === undefined ? `--${name}` : `--${name}=`;
  if (short === undefined) return [inQuotes(`${repeats ? "*" : ""}${long}${text}${operand}`)];
  const excluded = `(-${short} --${name})`;
  const shortForm = value === undefined ? `-${short}` : `-${short}+`;
  return [shortForm, long].map((form) => inQuotes(`${excluded}${form}${text}${operand}`));
}

function action(completable: Completable): string {
  switch (completable.is) {
    case "nothing":
      return " ";
    case "file":
      return "_files";
    case "agent":
      return "_varta_watch_agents";
    case "words":
      return `(${completable.words.join(" ")})`;
  }
}

function continued(spec: string): string {
  return `    ${spec} \\`;
}

function inQuotes(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

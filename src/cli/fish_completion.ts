// The completion script for fish: one `complete` line per command and option, under the condition
// of its command. The options of the daemon hold while no other command is named.
import type { Completable, CompletedCommand, CompletedOption } from "./completable.ts";

export function fishScript(commands: readonly CompletedCommand[]): string {
  const names = commands.map(({ name }) => name);
  return `# fish completion for varta-watch; made by "varta-watch completions fish"

# Names of live agents; none where no daemon answers.
function __varta_watch_agents
  set -l words (commandline -opc)
  set -l control (string replace -rf -- '^--control=' '' $words)
  if set -l at (contains -i -- --control $words)
    set control $words[(math $at + 1)]
  end
  type -q $words[1]; and $words[1] completions --names --control=$control -- (commandline -ct) 2>/dev/null
end

complete -c varta-watch -f
${commands.map((command) => commandLine(command, names)).join("\n")}

${commands.map((command) => linesOf(command, names)).join("\n\n")}
`;
}

function commandLine({ name, summary }: CompletedCommand, names: readonly string[]): string {
  return `complete -c varta-watch -n "not ${seen(names)}" -a ${name} -d ${inQuotes(summary)}`;
}

function linesOf(command: CompletedCommand, names: readonly string[]): string {
  const others = names.filter((name) => name !== "run");
  const when = command.name === "run" ? `not ${seen(others)}` : seen([command.name]);
  const lines = command.options.map((option) => optionLine(option, when));
  const { firstOperand, nextOperand } = command;
  // fish does not count operands: the words of the first place are offered until one of them is
  // there.
  if (firstOperand.is === "words") {
    const there = seen(firstOperand.words.filter((word) => word !== command.name));
    lines.push(offer(`${when}; and not ${there}`, firstOperand));
  }
  if (firstOperand.is === "agent") lines.push(offer(when, firstOperand));
  if (nextOperand.is !== "nothing") lines.push(offer(when, nextOperand));
  return lines.join("\n");
}

function offer(when: string, may: Completable): string {
  return `complete -c varta-watch -n "${when}" ${valueWords(may)}`;
}

function optionLine({ name, short, help, value }: CompletedOption, when: string): string {
  const spelt = short === undefined ? `-l ${name}` : `-s ${short} -l ${name}`;
  const operand = value === undefined ? "" : ` -r ${valueWords(value.may)}`;
  return `complete -c varta-watch -n "${when}" ${spelt}${operand} -d ${inQuotes(help)}`;
}

function valueWords(may: Completable): string {
  switch (may.is) {
    case "nothing":
      return "-f";
    case "file":
      return "-F";
    case "agent":
      return "-f -a '(__varta_watch_agents)'";
    case "words":
      return `-f -a ${inQuotes(may.words.join(" "))}`;
  }
}

function seen(names: readonly string[]): string {
  return `__fish_seen_subcommand_from ${names.join(" ")}`;
}

function inQuotes(text: string): string {
  return `'${text.replaceAll(/[\\']/g, "\\$&")}'`;
}

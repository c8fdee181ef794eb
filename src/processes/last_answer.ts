// A pure function of a text that remembers its last answer: new processes come in groups, and those
// of one unit have the same control group.

export function lastAnswer<Answer>(ask: (text: string) => Answer): (text: string) => Answer {
  let lastText: string | undefined;
  let answer: Answer;
  return (text) => {
    if (text !== lastText) answer = ask(text);
    lastText = text;
    return answer;
  };
}

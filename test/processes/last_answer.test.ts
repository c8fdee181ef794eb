// A function that remembers its last answer.
import { expect, test } from "bun:test";
import { lastAnswer } from "../../src/processes/last_answer.ts";

test("lastAnswer() asks again only if the text is another one than the last", () => {
  const asked: string[] = [];
  const lengthOf = lastAnswer((text) => asked.push(text) * 0 + text.length);
  expect(["", "", "ab", "ab", "", "abc"].map(lengthOf)).toEqual([0, 0, 2, 2, 0, 3]);
  expect(asked).toEqual(["", "ab", "", "abc"]);
});

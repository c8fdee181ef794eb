import { describe, expect, test } from "bun:test";
import { LiveScreen } from "../../src/cli/live_screen.ts";

function opened() {
  const written: string[] = [];
  return { written, screen: new LiveScreen((text) => void written.push(text)) };
}

describe("a live screen", () => {
  test("opens a page of its own once, and each frame is one write that is shown as a whole", () => {
    const { written, screen } = opened();
    screen.draw("one\ntwo\n", 24);
    screen.draw("three\n", 24);
    const page = "\x1b[?1049h\x1b[?25l";
    expect(written).toEqual([
      `${page}\x1b[?2026h\x1b[H\x1b[Kone\n\x1b[Ktwo\n\x1b[J\x1b[?2026l`,
      "\x1b[?2026h\x1b[H\x1b[Kthree\n\x1b[J\x1b[?2026l",
    ]);
  });

  test("leaves the terminal as it was, and touches nothing if nothing was drawn", () => {
    const { written, screen } = opened();
    screen.close();
    expect(written).toEqual([]);
    screen.draw("one\n", 24);
    screen.close();
    screen.close();
    expect(written.slice(1)).toEqual(["\x1b[?25h\x1b[?1049l"]);
  });

  test("never scrolls: what the terminal has no row for is counted in its last one", () => {
    const { written, screen } = opened();
    screen.draw("1\n2\n3\n4\n", 4);
    screen.draw("1\n2\n3\n4\n5\n", 4);
    const rows = written.map((text) => text.replaceAll(/\x1b\[[?\d]*[A-Za-z]/g, ""));
    expect(rows).toEqual(["1\n2\n3\n4", "1\n2\n3\n  and 2 more lines"]);
  });
});

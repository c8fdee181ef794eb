// Draws a screen once a second until somebody has seen enough (`status --watch`). Whatever ends
// it, the terminal is as it was, with the last frame on it.
import { LiveScreen } from "./live_screen.ts";
import { print } from "./output.ts";

const EVERY_MS = 1_000;
const ENDS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;
const ROWS_DEFAULT = 24;

export interface Frame {
  readonly text: string;
  /** With which the command ends if this is the last one. */
  readonly exitCode: number;
}

export async function watch(draw: () => Frame): Promise<number> {
  const screen = new LiveScreen(print);
  let isOver = false;
  let wake = (): void => {};
  const end = (): void => {
    isOver = true;
    wake();
  };
  const redraw = (): void => wake();
  // The shell has its terminal back while this is stopped; the next frame opens the page again.
  const stop = (): void => {
    screen.close();
    process.kill(process.pid, "SIGSTOP");
  };
  for (const signal of ENDS) process.on(signal, end);
  process.on("SIGTSTP", stop);
  process.on("SIGCONT", redraw);
  process.on("SIGWINCH", redraw);
  let frame: Frame;
  try {
    do {
      frame = draw();
      if (isOver) break;
      screen.draw(frame.text, process.stdout.rows ?? ROWS_DEFAULT);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, EVERY_MS);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    } while (!isOver);
  } finally {
    screen.close();
    for (const signal of ENDS) process.off(signal, end);
    process.off("SIGTSTP", stop);
    process.off("SIGCONT", redraw);
    process.off("SIGWINCH", redraw);
  }
  print(frame.text);
  return frame.exitCode;
}

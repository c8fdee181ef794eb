// "log_level": another level of the log for a time (spec 16 section 10).
import { LOG_LEVELS } from "../../base/log_level.ts";
import { LOG_LEVEL_NS_MAX } from "../../base/limits.ts";
import { NS_PER_MS } from "../../base/time.ts";
import type { LogLevel } from "../../config/config.ts";
import { actPieces } from "../act_answer.ts";
import { actor, argNumber, argText, type Request } from "../request.ts";

export const LOG_LEVEL: Request = {
  name: "log_level",
  right: "act",
  help: "another level of the log for a time",
  args: {
    level: { is: "word", words: LOG_LEVELS, required: true, help: "the lowest that is written" },
    for: {
      is: "duration",
      msMax: LOG_LEVEL_NS_MAX / NS_PER_MS,
      required: true,
      help: "until that of the configuration holds again",
    },
  },
  answer: "one line: `level`, `until`, and the level `then`",
  run(args, sources, asker) {
    const level = argText(args, "level") as LogLevel;
    const forNs = argNumber(args, "for")! * NS_PER_MS;
    return actPieces(sources.acts.logLevel(level, forNs, actor(asker, sources)));
  },
};

import type { Style } from "./text";

/** `bad` is for what the owner must do something about; `waiting` for what passes by itself. */
export type Mood = "good" | "waiting" | "bad";

/** The worst of several; good when there is none. */
export function worst(moods: readonly Mood[]): Mood {
  return moods.includes("bad") ? "bad" : moods.includes("waiting") ? "waiting" : "good";
}

/** A text in the colour of its mood. */
export function coloured({ green, yellow, red }: Style, mood: Mood, text: string): string {
  return { good: green, waiting: yellow, bad: red }[mood](text);
}

import { completeCommand, parseCommand } from './command-line.ts';
import type { Intent } from './intent.ts';
import { look } from './reduce-look.ts';
import { openSheet } from './reduce-sheet.ts';
import { isStale } from './select-header.ts';
import type { Prompt, State } from './state.ts';
import { type Step, stay } from './step.ts';
import { type Words, words } from './words.ts';

/** A line, not a document. */
const LINE_MAX = 200;

type Command = Extract<Prompt, { kind: 'command' }>;

/** Those that only look work without a master. */
const LOOKS: readonly Intent['kind'][] = ['open-screen', 'open-rollout', 'quit'];

function refused(state: State, intent: Intent): Words | null {
  if (LOOKS.includes(intent.kind)) return null;
  if (state.frozenAt !== null) return words('the picture is frozen; f lets it run', '画面已冻结；按 f 恢复');
  return isStale(state) ? words('no master', '主控失联') : null;
}

/** What the line means is done as if its key had been pressed; what is wrong with it stays beside it. */
function submit(state: State, prompt: Command): Step {
  if (prompt.text.trim() === '') return stay({ ...state, prompt: null });
  const parsed = parseCommand(prompt.text);
  if (parsed.kind === 'error') return stay({ ...state, prompt: { ...prompt, error: parsed.why } });
  const { intent } = parsed;
  if (intent.kind === 'open-rollout' && intent.id !== null && !state.picture.facts.rollout.has(intent.id)) {
    const error = words(`there is no rollout ${intent.id}`, `没有发布 ${intent.id}`);
    return stay({ ...state, prompt: { ...prompt, error } });
  }
  const error = refused(state, intent);
  if (error !== null) return stay({ ...state, prompt: { ...prompt, error } });
  const at: State = { ...state, prompt: null };
  return openSheet(at, intent) ?? look(at, intent);
}

/** An intent while `:` is typed; `null`: none of the line's. */
export function inCommand(state: State, prompt: Command, intent: Intent): Step | null {
  const typed = (text: string): Step =>
    stay({ ...state, prompt: { ...prompt, text: [...text].slice(0, LINE_MAX).join(''), error: null } });
  switch (intent.kind) {
    case 'type':
      return typed(prompt.text + intent.text);
    case 'erase':
      return prompt.text === ''
        ? stay({ ...state, prompt: null })
        : typed([...prompt.text].slice(0, -1).join(''));
    case 'erase-line':
      return typed('');
    case 'complete':
      return typed(completeCommand(prompt.text));
    case 'submit':
      return submit(state, prompt);
    case 'peel':
      return stay({ ...state, prompt: null });
    default:
      return null;
  }
}

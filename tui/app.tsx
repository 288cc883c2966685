import { Box, render, Text, useWindowSize } from 'ink';
import { memo, type ReactElement, useEffect, useSyncExternalStore } from 'react';
import type { ConsoleApi } from '../proto/link/console-api.ts';
import type { RolloutsApi } from '../proto/link/rollouts-api.ts';
import type { NodeName } from '../proto/vocab/ids.ts';
import { perform } from './client/act.ts';
import { createHub, type Hub } from './client/hub.ts';
import { follow } from './client/watch.ts';
import { createKeyboard, type Keyboard } from './keyboard.ts';
import type { Input } from './keys/key.ts';
import { createPresenter, type Frame, type Presenter } from './presenter.ts';
import type { State } from './store/state.ts';
import type { Theme } from './theme/theme.ts';

const Line = memo(function Line(props: { readonly text: string }): ReactElement {
  return <Text wrap="truncate">{props.text}</Text>;
});

interface ConsoleProps {
  readonly hub: Hub;
  readonly presenter: Presenter;
  readonly onPresented: (frame: Frame, size: { width: number; height: number }) => void;
}

/** One `<Text>` a row; everything that decides what is in it happened before. */
function Console({ hub, presenter, onPresented }: ConsoleProps): ReactElement {
  const state = useSyncExternalStore(hub.subscribe, hub.state);
  const { columns: width, rows: height } = useWindowSize();
  const frame = presenter.present(state, { width, height });
  useEffect(() => onPresented(frame, { width, height }));
  return (
    <Box flexDirection="column" width={width} height={frame.lines.length}>
      {frame.lines.map((text, y) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a row of the screen is its position
        <Line key={y} text={text} />
      ))}
    </Box>
  );
}

export interface AppSettings {
  readonly theme: Theme;
  /** Its name until the master has told its own. */
  readonly context: string;
  /** Who we are, for the master's log. */
  readonly client: string;
}

export interface AppNeeds {
  readonly api: ConsoleApi & RolloutsApi;
  /** A stream that takes whole frames and answers an empty write once they are written. */
  readonly stdout: NodeJS.WriteStream;
  readonly stdin: NodeJS.ReadStream;
  /** Keys and pastes, one by one; returns how to stop listening. */
  readonly listen: (onInput: (input: Input) => void) => () => void;
  readonly now?: () => number;
}

export interface App {
  readonly hub: Hub;
  /** Settles when the screen is gone and the terminal is its owner's again. */
  readonly done: Promise<void>;
  stop(): void;
}

const TICK_MS = 1_000;
/** Ink's own throttle is p95 of a key otherwise. */
const MAX_FPS = 60;

function namesOnScreen(state: State): readonly NodeName[] {
  if (state.place.kind === 'node') {
    const node = state.picture.facts.node.get(state.place.name);
    return node === undefined ? [] : [node.name];
  }
  const { shown, top } = state.nodes;
  return shown.slice(top, top + state.room.nodeRows).flatMap((i) => (i.gone ? [] : [i.node.name]));
}

/** The console, from the first frame to the last. Wires; decides nothing. */
export function startApp(settings: AppSettings, needs: AppNeeds): App {
  const now = needs.now ?? Date.now;
  const presenter = createPresenter(settings);
  const after = (ms: number, fn: () => void): (() => void) => {
    const timer = setTimeout(fn, ms);
    return () => clearTimeout(timer);
  };

  const hub: Hub = createHub({
    now,
    perform: (effect) =>
      perform(effect, {
        api: needs.api,
        dispatch: hub.dispatch,
        now,
        resubscribe: () => follower.resubscribe(),
        quit: () => stop(),
      }),
  });
  const keyboard: Keyboard = createKeyboard({ hub, after });
  const follower = follow({ client: settings.client }, { api: needs.api, hub });

  let room = '';
  function onPresented(frame: Frame, size: { width: number; height: number }): void {
    keyboard.presented(frame);
    const state = hub.state();
    const next = presenter.room(state, size);
    const key = JSON.stringify(next);
    if (key !== room) {
      room = key;
      hub.dispatch({ kind: 'room', room: next });
    }
    follower.look(namesOnScreen(hub.state()));
  }

  const screen = render(<Console hub={hub} presenter={presenter} onPresented={onPresented} />, {
    stdout: needs.stdout,
    stdin: needs.stdin,
    exitOnCtrlC: false,
    patchConsole: false,
    interactive: true,
    maxFps: MAX_FPS,
    onRender: () => onFrame(),
  });

  function onFrame(): void {
    // Called inside the commit of the frame presented last; its bytes are out when the flush settles.
    const version = presenter.version();
    queueMicrotask(() => {
      screen.waitUntilRenderFlush().then(
        () => keyboard.written(version),
        () => {},
      );
    });
  }

  const ticking = setInterval(() => hub.dispatch({ kind: 'tick' }), TICK_MS);
  const unlisten = needs.listen((input) => keyboard.input(input));

  let stopped = false;
  function stop(): void {
    if (stopped) return;
    stopped = true;
    clearInterval(ticking);
    unlisten();
    keyboard.stop();
    follower.close();
    screen.unmount();
  }

  return { hub, stop, done: screen.waitUntilExit().then(() => undefined) };
}

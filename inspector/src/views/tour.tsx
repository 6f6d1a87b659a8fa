/** A guided tour: the shortest way to see a bug of a dax bus, step by step on the picture of the bus. */
import { useState } from 'preact/hooks';
import type { TourStep, TourSummary, TourView } from '../../../src/inspector/wire.js';
import { part } from '../api.js';
import { count } from '../format.js';
import { useAnswer } from '../live.js';

/** The bug of fsdev_dax that the explorer found in the version 9 of the kernel's patches. */
const FIRST = 'v9-match';
const DRIVERS = ['device_dax', 'fsdev_dax', 'kmem'] as const;

/** Two orders of loading modules, which must make no difference. */
const ORDERS: Readonly<Record<string, readonly string[]>> = {
  'v9-match': ['insmod device_dax; insmod fsdev_dax', 'insmod fsdev_dax; insmod device_dax'],
};

export function Tour() {
  const { value: tours, error } = useAnswer<TourSummary[]>('tours');
  const [chosen, setChosen] = useState(FIRST);
  const [events, setEvents] = useState('');
  const path = events === '' ? `tours/${part(chosen)}` : `tours/${part(chosen)}/events`;
  const { value: tour, error: failed } = useAnswer<TourView>(path, events === '' ? {} : { events });
  if (!tours) return error ? <p class="problem">{error.message}</p> : null;
  const choose = (mutant: string): void => {
    setChosen(mutant);
    setEvents('');
  };
  const isOther = tour?.mutant !== chosen || (tour.found === null) !== (events !== '');
  return (
    <>
      <label class="chooser">
        Bug{' '}
        <select value={chosen} onChange={(event) => choose(event.currentTarget.value)}>
          {tours.map(({ mutant, about }) => (
            <option key={mutant} value={mutant}>
              {mutant}: {about}
            </option>
          ))}
        </select>
      </label>
      <OwnEvents key={chosen} mutant={chosen} events={events} run={setEvents} />
      {failed && <p class="problem">{failed.message}</p>}
      {!failed && isOther && <p class="quiet">The explorer searches for the shortest way to it...</p>}
      {tour && !isOther && <Walk key={`${chosen} ${events}`} tour={tour} />}
    </>
  );
}

/** Other events than those that were found, to see what makes the difference. */
function OwnEvents({
  mutant,
  events,
  run,
}: {
  mutant: string;
  events: string;
  run: (events: string) => void;
}) {
  const [text, setText] = useState(events);
  return (
    <form
      class="tools"
      onSubmit={(event) => {
        event.preventDefault();
        run(text.trim());
      }}
    >
      <input
        class="search events"
        placeholder="your own events (/): insmod fsdev_dax; insmod device_dax"
        aria-label="Your own events, separated by semicolons"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <button type="submit">Run</button>
      {(ORDERS[mutant] ?? []).map((order) => (
        <button
          type="button"
          key={order}
          onClick={() => {
            setText(order);
            run(order);
          }}
        >
          {order}
        </button>
      ))}
      {events !== '' && (
        <button type="button" onClick={() => run('')}>
          The shortest way
        </button>
      )}
    </form>
  );
}

function Walk({ tour }: { tour: TourView }) {
  const [at, setAt] = useState(0);
  const { steps, sound, about, invariant, found } = tour;
  const step = steps[at]!;
  const isBroken = steps.some(({ violations }) => violations.length > 0);
  return (
    <section class="walk">
      <p>
        {about}. It breaks invariant {invariant}
        {found
          ? `; the explorer found the shortest way among ${count(found.states)} states in ${found.milliseconds} ms.`
          : isBroken
            ? ', with these events too.'
            : '; these events break nothing.'}
      </p>
      <p class="actions">
        <button type="button" disabled={at === 0} onClick={() => setAt(at - 1)}>
          Back
        </button>
        <button type="button" disabled={at === steps.length - 1} onClick={() => setAt(at + 1)}>
          Next step
        </button>
        <span role="status">
          Step {at + 1} of {steps.length}: {step.event}{' '}
          {step.errno === null ? 'succeeds' : `fails with ${step.errno}`}
        </span>
      </p>
      <ol class="steps">
        {steps.map(({ event, isSetup, violations }, index) => (
          <li
            key={index}
            aria-current={index === at ? 'step' : undefined}
            class={violations.length > 0 ? 'bad' : ''}
          >
            <button type="button" class="link" onClick={() => setAt(index)}>
              {event}
            </button>
            {isSetup && <small> as the machine begins</small>}
          </li>
        ))}
      </ol>
      <div class="columns">
        <Picture title="With the bug" steps={steps.slice(0, at + 1)} />
        <Picture title="As it should be" steps={sound.slice(0, at + 1)} />
      </div>
    </section>
  );
}

/** The bus after the last of the steps, and what was broken on the way. */
function Picture({ title, steps }: { title: string; steps: readonly TourStep[] }) {
  const last = steps.at(-1)!;
  const devices = Object.entries(last.drivers);
  const broken = steps.flatMap(({ violations }, at) => violations.map((violation) => ({ ...violation, at })));
  return (
    <section class="picture">
      <h2>{title}</h2>
      <div class="tracks">
        {[...DRIVERS, null].map((driver) => (
          <div class="track" key={driver}>
            <b>{driver ?? 'no driver'}</b>
            {devices
              .filter(([, bound]) => bound === driver)
              .map(([name]) => (
                <span class="chip" key={name}>
                  {name}
                </span>
              ))}
          </div>
        ))}
      </div>
      <p>{last.errno === null ? 'The event succeeds.' : `The event fails: ${last.errno}.`}</p>
      {broken.map(({ invariant, text, at }) => (
        <p class="problem" key={text}>
          {invariant} is broken{at < steps.length - 1 ? ` since step ${at + 1}` : ''}: {text}
        </p>
      ))}
    </section>
  );
}

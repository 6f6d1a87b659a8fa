/** A guided tour: the shortest way to see a bug of a dax bus, step by step on the picture of the bus. */
import { useState } from 'preact/hooks';
import type { TourStep, TourSummary, TourView } from '../../../src/inspector/wire.js';
import { part } from '../api.js';
import { count } from '../format.js';
import { useAnswer } from '../live.js';

/** The bug of fsdev_dax that the explorer found in the version 9 of the kernel's patches. */
const FIRST = 'v9-match';
const DRIVERS = ['device_dax', 'fsdev_dax', 'kmem'] as const;

export function Tour() {
  const { value: tours, error } = useAnswer<TourSummary[]>('tours');
  const [chosen, setChosen] = useState(FIRST);
  const { value: tour, error: failed } = useAnswer<TourView>(`tours/${part(chosen)}`);
  if (!tours) return error ? <p class="problem">{error.message}</p> : null;
  return (
    <>
      <label class="chooser">
        Bug{' '}
        <select value={chosen} onChange={(event) => setChosen(event.currentTarget.value)}>
          {tours.map(({ mutant, about }) => (
            <option key={mutant} value={mutant}>
              {mutant}: {about}
            </option>
          ))}
        </select>
      </label>
      {failed && <p class="problem">{failed.message}</p>}
      {tour?.mutant === chosen ? (
        <Walk key={chosen} tour={tour} />
      ) : (
        <p class="quiet">The explorer searches for the shortest way to it...</p>
      )}
    </>
  );
}

function Walk({ tour }: { tour: TourView }) {
  const [at, setAt] = useState(0);
  const { steps, sound, about, invariant, states, milliseconds } = tour;
  const step = steps[at]!;
  return (
    <section class="walk">
      <p>
        {about}. It breaks invariant {invariant}; the explorer found the shortest way among {count(states)}{' '}
        states in {milliseconds} ms.
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
        <Picture title="With the bug" step={step} />
        <Picture title="As it should be" step={sound[at]!} />
      </div>
    </section>
  );
}

function Picture({ title, step }: { title: string; step: TourStep }) {
  const devices = Object.entries(step.drivers);
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
      <p>{step.errno === null ? 'The event succeeds.' : `The event fails: ${step.errno}.`}</p>
      {step.violations.map(({ invariant, text }) => (
        <p class="problem" key={text}>
          {invariant} is broken: {text}
        </p>
      ))}
    </section>
  );
}

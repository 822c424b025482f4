//! What goes wrong at present, and how often: drawn anew every few minutes.

use jiff::SignedDuration;
use simulator::aws::{Call, Fault, Service};

use super::draw::Draw;

/// Probabilities.
#[derive(Clone, Copy, Default)]
pub(super) struct Weather {
    pub(super) name: &'static str,
    table: Rates,
    queue: Rates,
    key: Rates,
    /// Of a handler's death, at each await, and where it has just written something.
    pub(super) death: f64,
    pub(super) death_after_write: f64,
    /// Of a handler's standing still for a while, at each await.
    pub(super) stall: f64,
    /// Of a message that is given twice.
    pub(super) twice: f64,
    /// Of a POST for which there is no socket.
    pub(super) exhausted: f64,
}

#[derive(Clone, Copy, Default)]
struct Rates {
    refuse: f64,
    throttle: f64,
    conflict: f64,
    lose_answer: f64,
    silence: f64,
}

impl Weather {
    pub(super) const CALM: Weather = Weather {
        name: "calm",
        table: Rates::NONE,
        queue: Rates::NONE,
        key: Rates::NONE,
        death: 0.0,
        death_after_write: 0.0,
        stall: 0.0,
        twice: 0.0,
        exhausted: 0.0,
    };

    /// The weather to come, and for how long it stays.
    pub(super) fn draw(draw: &Draw) -> (Weather, SignedDuration) {
        let some = Rates {
            refuse: 0.01,
            throttle: 0.01,
            conflict: 0.03,
            lose_answer: 0.02,
            silence: 0.001,
        };
        let many = Rates { refuse: 0.15, throttle: 0.1, lose_answer: 0.2, ..some };
        let all_refused = Rates { refuse: 1.0, ..Rates::NONE };
        let all_silent = Rates { silence: 1.0, ..Rates::NONE };
        let mixed = Weather {
            name: "mixed",
            table: some,
            queue: some,
            key: some,
            death: 0.004,
            death_after_write: 0.03,
            stall: 0.003,
            twice: 0.1,
            exhausted: 0.02,
        };
        let calm = Weather::CALM;
        let deadly = Weather {
            name: "functions die",
            death: 0.01,
            death_after_write: 0.06,
            twice: 0.2,
            ..calm
        };
        let weather = *draw.pick(&[
            calm,
            mixed,
            mixed,
            mixed,
            Weather { name: "table refuses", table: all_refused, ..mixed },
            Weather { name: "table is silent", table: all_silent, ..calm },
            Weather { name: "table is flaky", table: many, ..mixed },
            Weather { name: "queue is flaky", queue: many, ..mixed },
            Weather { name: "keys are out of reach", key: all_refused, ..calm },
            deadly,
            deadly,
            Weather { name: "functions stand still", stall: 0.02, twice: 0.3, ..calm },
        ]);
        let stays = match weather.name {
            "mixed" | "functions die" => draw.seconds(180..900),
            _ => draw.seconds(30..300),
        };
        (weather, stays)
    }

    /// What goes wrong with a call.
    pub(super) fn fault(&self, call: &Call, draw: &Draw) -> Option<Fault> {
        let rates = match call.service {
            Service::Table => &self.table,
            Service::Queue => &self.queue,
            Service::Key => &self.key,
        };
        let mut drawn = draw.unit();
        let faults = [
            (Fault::Refuse, rates.refuse),
            (Fault::Throttle, rates.throttle),
            (Fault::Conflict, rates.conflict),
            (Fault::LoseAnswer, rates.lose_answer),
            (Fault::Silence, rates.silence),
        ];
        for (fault, rate) in faults {
            if drawn < rate {
                return Some(fault);
            }
            drawn -= rate;
        }
        None
    }
}

impl Rates {
    const NONE: Rates =
        Rates { refuse: 0.0, throttle: 0.0, conflict: 0.0, lose_answer: 0.0, silence: 0.0 };
}

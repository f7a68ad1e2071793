//! Where those who work side by side have done together what each of them asks.
//!
//! Everybody has a seat and a thread of its own. Who asks waits; once everybody who is still there waits, the host is given
//! all questions at once, in the order of the seats, and hands the answers back. So what a question is answered beside
//! follows from what everybody asks, first question with first, second with second, and never from who comes when. Who is
//! done, fails or panics leaves the seat, and nobody waits for it any longer.
//!
//! The host stays on one thread for all of the meeting: what computes on a device ties buffers and queues to the thread that
//! calls it, so with the last to come as the host there would be as many of them as seats.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Answers everybody. Dropped before the others have left, as by a panic, it sends them away.
pub struct Host<Q, A>(Arc<Meeting<Q, A>>);

/// Somebody's place. Dropped, it is left.
pub struct Seat<Q, A> {
    meeting: Arc<Meeting<Q, A>>,
    number: usize,
}

struct Meeting<Q, A> {
    table: Mutex<Table<Q, A>>,
    /// Rings for the host when somebody asks or leaves.
    came: Condvar,
    /// Rings for everybody else when there are answers, or will be none.
    answered: Condvar,
}

struct Table<Q, A> {
    /// Seats that are not left yet.
    present: usize,
    /// By seat.
    questions: BTreeMap<usize, Q>,
    /// By seat.
    answers: BTreeMap<usize, A>,
    adjourned: bool,
    /// Whether there is no host any longer.
    closed: bool,
}

/// A meeting of so many.
pub fn of<Q, A>(seats: usize) -> (Host<Q, A>, Vec<Seat<Q, A>>) {
    let meeting = Arc::new(Meeting {
        table: Mutex::new(Table {
            present: seats,
            questions: BTreeMap::new(),
            answers: BTreeMap::new(),
            adjourned: false,
            closed: false,
        }),
        came: Condvar::new(),
        answered: Condvar::new(),
    });
    let seat = |number| Seat {
        meeting: Arc::clone(&meeting),
        number,
    };
    let seats = (0..seats).map(seat).collect();
    (Host(meeting), seats)
}

impl<Q, A> Meeting<Q, A> {
    fn table(&self) -> MutexGuard<'_, Table<Q, A>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Q, A> Host<Q, A> {
    /// Answers everybody with `answer`, which gives one answer for each question, in order, until nobody is left. After
    /// each time `is_over` says whether everybody is to go home; they see it with that answer.
    ///
    /// # Panics
    /// If there are not as many answers as questions.
    pub fn serve(self, mut answer: impl FnMut(Vec<Q>) -> Vec<A>, is_over: impl Fn() -> bool) {
        loop {
            let mut table = self.0.table();
            while table.questions.len() < table.present {
                table = wait(&self.0.came, table);
            }
            if table.present == 0 {
                return;
            }
            let (seats, questions): (Vec<usize>, Vec<Q>) =
                std::mem::take(&mut table.questions).into_iter().unzip();
            drop(table);
            let answers = answer(questions);
            assert_eq!(answers.len(), seats.len(), "one answer for each question");
            let is_over = is_over();
            let mut table = self.0.table();
            table.answers.extend(seats.into_iter().zip(answers));
            table.adjourned |= is_over;
            drop(table);
            self.0.answered.notify_all();
        }
    }
}

impl<Q, A> Drop for Host<Q, A> {
    fn drop(&mut self) {
        self.0.table().closed = true;
        self.0.answered.notify_all();
    }
}

impl<Q, A> Seat<Q, A> {
    /// Asks, and waits until everybody else asks or has left.
    ///
    /// If the host has gone, it unwinds without a word: a panic on the host's side has told why.
    pub fn ask(&self, question: Q) -> A {
        let mut table = self.meeting.table();
        table.questions.insert(self.number, question);
        self.meeting.came.notify_one();
        loop {
            if let Some(answer) = table.answers.remove(&self.number) {
                return answer;
            }
            if table.closed {
                drop(table);
                std::panic::resume_unwind(Box::new("the host of the meeting has gone"));
            }
            table = wait(&self.meeting.answered, table);
        }
    }

    /// Whether everybody is to go home.
    pub fn is_adjourned(&self) -> bool {
        self.meeting.table().adjourned
    }
}

impl<Q, A> Drop for Seat<Q, A> {
    fn drop(&mut self) {
        let mut table = self.meeting.table();
        table.present -= 1;
        table.questions.remove(&self.number);
        // Whoever panics ends the program: the others need not finish first.
        table.adjourned |= std::thread::panicking();
        drop(table);
        self.meeting.came.notify_one();
    }
}

fn wait<'a, T>(bell: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    bell.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use primitives::{Role, Seed, Stream, normal};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread::{self, ScopedJoinHandle};

    /// What a guest does after its last question.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Ending {
        Leaves,
        Fails,
        Panics,
    }

    /// Seat and number of a question.
    type Question = (usize, u32);

    fn answer_to((seat, number): Question) -> u32 {
        1000 * seat as u32 + number
    }

    /// Plays a meeting of guests with so many questions each; what the host was asked, time by time. `dawdle` is called
    /// before every question.
    fn play(guests: &[(u32, Ending)], dawdle: impl Fn(Question) + Sync) -> Vec<Vec<Question>> {
        let (host, seats) = of::<Question, u32>(guests.len());
        let mut asked = Vec::new();
        thread::scope(|scope| {
            let dawdle = &dawdle;
            let sit = |(seat, &(questions, ending)): (Seat<Question, u32>, &(u32, Ending))| {
                scope.spawn(move || {
                    let mut right = true;
                    for number in 0..questions {
                        let question = (seat.number, number);
                        dawdle(question);
                        right &= seat.ask(question) == answer_to(question);
                    }
                    let ending = if right { ending } else { Ending::Leaves };
                    match ending {
                        Ending::Leaves => Ok(right),
                        Ending::Fails => Err(()),
                        Ending::Panics => std::panic::resume_unwind(Box::new("a guest")),
                    }
                })
            };
            let threads: Vec<_> = seats.into_iter().zip(guests).map(sit).collect();
            let answer = |questions: Vec<Question>| {
                let answers = questions.iter().copied().map(answer_to).collect();
                asked.push(questions);
                answers
            };
            host.serve(answer, || false);
            for (thread, (_, ending)) in threads.into_iter().zip(guests) {
                let found = match thread.join() {
                    Ok(Ok(right)) => {
                        assert!(right, "a guest was given another's answer");
                        Ending::Leaves
                    }
                    Ok(Err(())) => Ending::Fails,
                    Err(_) => Ending::Panics,
                };
                assert_eq!(found, *ending);
            }
        });
        asked
    }

    /// What a meeting comes to, said without threads: first questions with first, second with second, by seat.
    fn expected(guests: &[(u32, Ending)]) -> Vec<Vec<Question>> {
        let last = guests.iter().map(|guest| guest.0).max().unwrap_or(0);
        let at = |number| {
            let asks = |(seat, guest): (usize, &(u32, Ending))| {
                (guest.0 > number).then_some((seat, number))
            };
            guests.iter().enumerate().filter_map(asks).collect()
        };
        (0..last).map(at).collect()
    }

    #[test]
    fn whoever_comes_when_everybody_is_answered_beside_the_same() {
        for case in 0..300 {
            let mut draws = vec![0.0; 128];
            let mut stream = Seed::from_number(case).stream(Stream::run(Role::Generate));
            normal::fill(&mut stream, &mut draws);
            let mut draws = draws.into_iter().map(|draw: f64| (draw.abs() * 1e6) as u32);
            let mut below = |limit| draws.next().unwrap() % limit;
            let endings = [Ending::Leaves, Ending::Fails, Ending::Panics];
            let guests: Vec<(u32, Ending)> = (0..=below(8))
                .map(|_| (below(6), endings[below(3) as usize]))
                .collect();
            // Each guest lets others go first a few times, differently before each question.
            let pauses: Vec<u32> = (0..64).map(|_| below(4)).collect();
            let dawdle = |(seat, number): Question| {
                for _ in 0..pauses[(7 * seat + number as usize) % 64] {
                    thread::yield_now();
                }
            };
            let asked = play(&guests, dawdle);
            assert_eq!(asked, expected(&guests), "case {case}: {guests:?}");
        }
    }

    #[test]
    fn a_host_that_panics_sends_everybody_away() {
        let (host, seats) = of::<u32, u32>(3);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            thread::scope(|scope| {
                for seat in seats {
                    scope.spawn(move || {
                        let answer = seat.ask(1);
                        seat.ask(answer)
                    });
                }
                let mut times = 0;
                let answer = |questions: Vec<u32>| {
                    times += 1;
                    if times == 2 {
                        std::panic::resume_unwind(Box::new("out of memory"));
                    }
                    questions
                };
                host.serve(answer, || false);
            });
        }));
        let payload = outcome.unwrap_err();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"out of memory"));
    }

    #[test]
    fn everybody_hears_with_the_same_answer_that_it_is_over() {
        let (host, seats) = of::<u32, u32>(4);
        let over = AtomicBool::new(false);
        let asked = thread::scope(|scope| {
            let sit = |seat: Seat<u32, u32>| {
                scope.spawn(move || {
                    let mut asked = 0;
                    while !seat.is_adjourned() {
                        asked += 1;
                        seat.ask(asked);
                    }
                    asked
                })
            };
            let threads: Vec<_> = seats.into_iter().map(sit).collect();
            let answer = |questions: Vec<u32>| {
                over.store(questions[0] == 5, Ordering::Relaxed);
                questions
            };
            host.serve(answer, || over.load(Ordering::Relaxed));
            let join = |thread: ScopedJoinHandle<'_, u32>| thread.join().unwrap();
            threads.into_iter().map(join).collect::<Vec<u32>>()
        });
        assert_eq!(asked, [5; 4]);
    }

    #[test]
    fn a_panic_calls_it_off_for_the_others() {
        let (host, mut seats) = of::<u32, u32>(2);
        let (quiet, loud) = (seats.remove(0), seats.remove(0));
        thread::scope(|scope| {
            let panicking: ScopedJoinHandle<'_, ()> = scope.spawn(move || {
                loud.ask(0);
                std::panic::resume_unwind(Box::new("a guest"))
            });
            let other = scope.spawn(move || {
                let mut asked = 0_u64;
                while !quiet.is_adjourned() {
                    quiet.ask(0);
                    asked += 1;
                }
                asked
            });
            host.serve(|questions| questions, || false);
            assert!(panicking.join().is_err());
            assert!(other.join().unwrap() >= 1);
        });
    }
}

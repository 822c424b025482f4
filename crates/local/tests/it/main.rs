//! The relay from end to end, in process: the real SDK, the real HTTP, a clock that tests drive.

mod crash_points;
mod ingest;
mod logs;
mod road;
mod serve;
mod stage;
mod template;

// Where threads look after what sets the events they wait for.
#pragma once

namespace ke {

class DueTime;

/// Where files tell a thread that something has happened to them. A thread that waits for an event
/// they set sleeps there itself, so that the one that will work is the one that is woken. The same
/// for a completion port's threads is io::WaitSource. Owner: one thread at a time, or none; it is
/// used again by another one, never destroyed, so it may be woken after its thread has gone.
class EventSource {
public:
    // For the owner, with no lock held.

    /// It begins to sleep here, again and again until it leaves: nobody else needs to be told.
    virtual void attend() = 0;
    virtual void leave() = 0;
    /// It is about to sleep elsewhere. Meanwhile somebody else is told at once, not only if it
    /// stays away.
    virtual void look_away() = 0;
    /// Sleeps until something has happened, until wake() or `due`; may come back early.
    virtual void sleep(const DueTime& due) = 0;

    // For anyone; must not block.

    /// Serves what has happened: events are set. No lock is held.
    virtual void serve() = 0;

    /// Ends the sleep that is, or the next one.
    virtual void wake() = 0;
    /// Another thread waits for what is told here: from now on, whenever the owner is not here,
    /// somebody else is told at once.
    virtual void share() = 0;

    /// The owner has ended, asleep or not.
    virtual void disown() = 0;

protected:
    ~EventSource() = default;
};

/// Makes the calling thread the owner of a source. Null: it gets none, now.
using OwnEventSource = EventSource* (*)();

} // namespace ke

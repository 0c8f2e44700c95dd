// A file whose driver does what a test tells it: the smallest driver of io::File.
#pragma once

#include "io/file.h"
#include "ke/pool.h"

namespace unit {

/// Ioctl codes of the test driver.
enum : ULONG {
    kSucceed = 1, // completes at once with information 7
    kFail = 2, // fails at once with STATUS_CONNECTION_RESET
    kWarn = 3, // completes at once with STATUS_BUFFER_OVERFLOW, information 5
    kPend = 4, // pends until complete_oldest or cancellation
};

/// Lock: m_lock guards the queue, as a driver's lock does. Counts what happened to it.
class TestFile final : public io::File {
public:
    explicit TestFile(Mode mode)
        : File(mode)
    {
    }

    static ob::Ref<TestFile> create(Mode mode = Mode::Asynchronous)
    {
        return ob::Ref<TestFile>::adopt(ke::pool_new<TestFile>(mode));
    }

    /// Completes the oldest pending request. False when there is none that can still be claimed.
    bool complete_oldest(NTSTATUS status, ULONG_PTR information) EXCLUDES(m_lock)
    {
        io::Irp* claimed = nullptr;
        {
            ke::LockGuard guard(m_lock);
            for (io::Irp* irp = m_first; irp && !claimed; irp = irp->driver.next) {
                if (irp->claim())
                    claimed = irp; // else a canceller has it and will unlink it
            }
            if (claimed)
                unlink(*claimed);
        }
        if (!claimed)
            return false;
        claimed->complete(status, information);
        return true;
    }
    /// As a driver that tries to serve the oldest request, and is done with that only later.
    io::Irp* claim_oldest() EXCLUDES(m_lock)
    {
        ke::LockGuard guard(m_lock);
        return m_first && m_first->claim() ? m_first : nullptr;
    }
    void complete_claimed(io::Irp& irp, NTSTATUS status) EXCLUDES(m_lock)
    {
        {
            ke::LockGuard guard(m_lock);
            unlink(irp);
        }
        irp.complete(status, 0);
    }
    bool has_pending() const EXCLUDES(m_lock)
    {
        ke::LockGuard guard(m_lock);
        return m_first != nullptr;
    }

    std::atomic<int> cancelled { 0 };
    std::atomic<int>* closes = nullptr; // counts on_last_reference_dropped

private:
    NTSTATUS dispatch(io::Irp& irp, ULONG_PTR& information) override
    {
        switch (irp.parameters().code) {
        case kSucceed:
            information = 7;
            return STATUS_SUCCESS;
        case kWarn:
            information = 5;
            return STATUS_BUFFER_OVERFLOW;
        case kPend: {
            ke::LockGuard guard(m_lock);
            link(irp);
            irp.pend(cancel_routine);
            return STATUS_PENDING;
        }
        default:
            return STATUS_CONNECTION_RESET;
        }
    }
    static NTSTATUS cancel_routine(io::Irp& irp, ULONG_PTR&)
    {
        auto& file = static_cast<TestFile&>(irp.file());
        ke::LockGuard guard(file.m_lock);
        file.unlink(irp);
        ++file.cancelled;
        return STATUS_CANCELLED;
    }
    void on_last_reference_dropped() override
    {
        if (closes)
            ++*closes;
        File::on_last_reference_dropped();
    }

    void link(io::Irp& irp) REQUIRES(m_lock)
    {
        irp.driver.previous = m_last;
        (m_last ? m_last->driver.next : m_first) = &irp;
        m_last = &irp;
    }
    void unlink(io::Irp& irp) REQUIRES(m_lock)
    {
        io::Irp* previous = irp.driver.previous;
        io::Irp* next = irp.driver.next;
        (previous ? previous->driver.next : m_first) = next;
        (next ? next->driver.previous : m_last) = previous;
    }

    mutable ke::Lock m_lock;
    io::Irp* m_first GUARDED_BY(m_lock) = nullptr;
    io::Irp* m_last GUARDED_BY(m_lock) = nullptr;
};

} // namespace unit

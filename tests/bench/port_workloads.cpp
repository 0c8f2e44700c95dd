#include "workloads.h"
#include "port.h"

namespace bench {

namespace {

/// A packet posted and removed by one thread.
class PostGet : public Workload {
public:
    bool set_up() override { return expect(m_port.open(), "CreateIoCompletionPort"); }
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            const DWORD posted = static_cast<DWORD>(i);
            DWORD moved = ~posted;
            ULONG_PTR key = 0;
            OVERLAPPED* overlapped = nullptr;
            if (!PostQueuedCompletionStatus(m_port.get(), posted, i + 1, &m_overlapped))
                return fail("PostQueuedCompletionStatus");
            if (!GetQueuedCompletionStatus(m_port.get(), &moved, &key, &overlapped, INFINITE)
                || moved != posted || key != i + 1 || overlapped != &m_overlapped)
                return fail("GetQueuedCompletionStatus");
        }
        return true;
    }

private:
    Port m_port;
    OVERLAPPED m_overlapped = {};
};

} // namespace

std::vector<WorkloadRow> port_workloads()
{
    return { { "port_post_get", Unit::MicrosecondsPerOperation, create<PostGet> } };
}

} // namespace bench

#include "../workloads.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {

namespace {

class ProcessStart : public Workload {
public:
    bool run(uint64_t iterations) override
    {
        char path[] = "/proc/self/exe";
        std::string argument = kStartAndExit;
        char* arguments[] = { path, argument.data(), nullptr };
        for (uint64_t i = 0; i < iterations; ++i) {
            pid_t child = 0;
            int status = 1;
            if (posix_spawn(&child, path, nullptr, nullptr, arguments, environ)
                || waitpid(child, &status, 0) != child || status)
                return fail("starting a process");
        }
        return true;
    }
};

} // namespace

std::vector<WorkloadRow> process_workloads()
{
    return { { "process_start", Unit::MicrosecondsPerOperation, create<ProcessStart> } };
}

} // namespace bench

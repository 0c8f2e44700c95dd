#include "workloads.h"

#include <winsock2.h>

namespace bench {

namespace {

/// A process that starts, calls WSAStartup and WSACleanup, and exits.
class ProcessStart : public Workload {
public:
    bool set_up() override
    {
        wchar_t path[MAX_PATH];
        const DWORD length = GetModuleFileNameW(nullptr, path, MAX_PATH);
        m_command = L'"' + std::wstring(path, length) + L"\" ";
        for (const char letter : std::string(kStartAndExit))
            m_command += static_cast<wchar_t>(letter);
        return expect(length && length < MAX_PATH, "GetModuleFileNameW");
    }
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            if (!start_one())
                return fail("starting a process");
        }
        return true;
    }

private:
    bool start_one()
    {
        std::wstring command = m_command; // CreateProcessW may write to it.
        STARTUPINFOW startup = {};
        startup.cb = sizeof(startup);
        PROCESS_INFORMATION process = {};
        if (!CreateProcessW(nullptr, command.data(), nullptr, nullptr, FALSE, 0, nullptr, nullptr,
                &startup, &process))
            return false;
        DWORD code = 1;
        const bool ok = WaitForSingleObject(process.hProcess, INFINITE) == WAIT_OBJECT_0
            && GetExitCodeProcess(process.hProcess, &code) && !code;
        CloseHandle(process.hThread);
        CloseHandle(process.hProcess);
        return ok;
    }

    std::wstring m_command;
};

} // namespace

std::vector<WorkloadRow> process_workloads()
{
    return { { "process_start", Unit::MicrosecondsPerOperation, create<ProcessStart> } };
}

} // namespace bench

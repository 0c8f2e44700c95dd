// Forms of the WSC functions that Windows exports and nobody has described: WSC...Ex, WSC...Ex2,
// WPUGetProviderPathEx.
//
// Each has one argument more than the function it is named after, and it is not known which one
// that is. So none is looked at but the last, through which the functions with an error argument
// tell their error, and all refuse as for a user without the right. [service-providers/19]
#include "error.h"
#include "provider_error.h"

using namespace ws2;

extern "C" {

int WSAAPI WSCEnumProtocolsEx(void*, void*, void*, void*, INT* error_out)
{
    return fail_provider(error_out, WSANO_RECOVERY);
}

int WSAAPI WSCInstallProviderEx(void*, void*, void*, void*, void*, void*, INT* error_out)
{
    return fail_provider(error_out, WSANO_RECOVERY);
}

int WSAAPI WSCDeinstallProviderEx(void*, void*, INT* error_out)
{
    return fail_provider(error_out, WSANO_RECOVERY);
}

int WSAAPI WSCUpdateProviderEx(void*, void*, void*, void*, void*, INT* error_out)
{
    return fail_provider(error_out, WSANO_RECOVERY);
}

int WSAAPI WSCGetApplicationCategoryEx(void*, void*, void*, void*, void*, void*, INT* error_out)
{
    return fail_provider(error_out, WSANO_RECOVERY);
}

int WSAAPI WSCSetApplicationCategoryEx(
    void*, void*, void*, void*, void*, void*, void*, INT* error_out)
{
    return fail_provider(error_out, WSANO_RECOVERY);
}

int WSAAPI WPUGetProviderPathEx(void*, void*, void*, void*, INT* error_out)
{
    return fail_provider(error_out, WSANO_RECOVERY);
}

/// Returns its error, as WSCWriteProviderOrder does.
int WSAAPI WSCWriteProviderOrderEx(void*, void*, void*)
{
    return WSANO_RECOVERY;
}

// Those of name spaces tell it as last error.

int WSAAPI WSCInstallNameSpaceEx2(void*, void*, void*, void*, void*, void*, void*)
{
    return fail(WSANO_RECOVERY);
}

int WSAAPI WSCUnInstallNameSpaceEx2(void*, void*)
{
    return fail(WSANO_RECOVERY);
}

} // extern "C"

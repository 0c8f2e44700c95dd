/* The documented function ProcessPrng over SystemFunction036 (RtlGenRandom), for programs that import
 * it under a Wine that lacks bcryptprimitives.dll. */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length)
{
    while (length) {
        const ULONG part = length > 0x10000 ? 0x10000 : (ULONG)length;

        if (!SystemFunction036(data, part))
            return FALSE;
        data += part;
        length -= part;
    }
    return TRUE;
}

' WinHTTP's object, which uses Winsock inside the script's process.
' usage: cscript objects.vbs PORT     of an HTTP server on this machine
On Error Resume Next
Set http = CreateObject("WinHttp.WinHttpRequest.5.1")
http.Open "GET", "http://localhost:" & WScript.Arguments(0) & "/", False
http.Send
code = Hex(Err.Number)
WScript.Echo "WinHttpRequest: status " & http.Status & ", text " & http.ResponseText & ", error " & code

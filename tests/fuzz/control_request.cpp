// SPDX-License-Identifier: Apache-2.0
// A line of any bytes on the control socket: nothing is thrown, and a refusal is one line of text.
#include "faces/socket/control_json.hpp"

#include <string>

#include "fuzz/fuzz.hpp"

using namespace portsyncd;
using portsync::fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parsed = control_json::parse({reinterpret_cast<const char*>(data), size});
  std::string line;
  if (const auto* garbage = std::get_if<control_json::Garbage>(&parsed)) {
    line = control_json::error_line("invalid_argument", garbage->what);
  } else if (const auto* error = std::get_if<ControlError>(&parsed)) {
    line = control_json::error_line(*error);
  } else {
    const auto& request = std::get<control_json::Request>(parsed);
    require(request.argument.size() <= size, "an argument is no longer than the line");
    line = control_json::error_line("no_such_port", request.argument);
  }
  require(line.find('\n') == line.size() - 1, "a reply is one line");
  return 0;
}

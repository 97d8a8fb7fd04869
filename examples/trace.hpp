// SPDX-License-Identifier: Apache-2.0
// Converts the events of a LinkSource to lines of text and back: "MICROSECONDS KIND CAUSE", then every member of the
// link. One space separates two words. "-" stands for an empty word, and %20 for a byte that cannot stand in a word.
#pragma once

#include <chrono>
#include <cstdio>
#include <istream>
#include <portsync/link_source.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace trace {

struct Step {
  std::chrono::microseconds at{0};  // since the start
  portsync::LinkEvent::Kind kind = portsync::LinkEvent::Kind::drained;
  portsync::Cause cause = portsync::Cause::initial;
  portsync::LinkState link;  // changed and removed only
};

inline std::string word(const std::string& text) {
  std::string word;
  for (const char c : text) {
    const bool plain = c > ' ' && c < 127 && c != '%' && c != ',' && !(c == '-' && text.size() == 1);
    char code[4] = {c, 0, 0, 0};
    if (!plain) std::snprintf(code, sizeof code, "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
    word += code;
  }
  return word.empty() ? "-" : word;
}

inline std::string text(const std::string& word) {
  std::string text;
  for (std::size_t i = word == "-" ? 1 : 0; i < word.size(); ++i) {
    const bool coded = word[i] == '%' && i + 2 < word.size();
    text += coded ? static_cast<char>(std::stoi(word.substr(i + 1, 2), nullptr, 16)) : word[i];
    if (coded) i += 2;
  }
  return text;
}

inline std::string to_line(const Step& step) {
  std::ostringstream line;
  line << step.at.count() << ' ' << static_cast<int>(step.kind) << ' ' << static_cast<int>(step.cause);
  if (step.kind > portsync::LinkEvent::Kind::removed) return line.str();
  const portsync::LinkState& link = step.link;
  const auto number = [&](const std::optional<std::uint32_t>& value) {
    line << ' ' << (value ? std::to_string(*value) : "-");
  };
  line << ' ' << link.ifindex << ' ' << word(link.name) << ' ' << link.flags << ' ' << static_cast<int>(link.operstate);
  for (const auto& value : {link.mtu, link.carrier_changes, link.carrier_up_count, link.carrier_down_count})
    number(value);
  const auto* address = reinterpret_cast<const char*>(link.address.bytes.data());
  line << ' ' << word(std::string(address, link.address.size)) << ' ' << link.master << ' ' << link.parent << ' '
       << (link.parent_netnsid ? std::to_string(*link.parent_netnsid) : "-") << ' ' << word(link.kind) << ' '
       << word(link.slave_kind) << ' ' << word(link.phys_port_name);
  for (const std::string& name : link.alternative_names) line << ' ' << word(name);
  return line.str();
}

// Throws std::exception.
inline Step from_line(const std::string& line) {
  std::istringstream in(line);
  Step step;
  std::int64_t at = 0;
  int kind = 0, cause = 0, operstate = 0;
  in >> at >> kind >> cause;
  step.at = std::chrono::microseconds(at);
  step.kind = static_cast<portsync::LinkEvent::Kind>(kind);
  step.cause = static_cast<portsync::Cause>(cause);
  if (in && step.kind <= portsync::LinkEvent::Kind::removed) {
    portsync::LinkState& link = step.link;
    std::string name, values[4], address, netnsid, link_kind, slave_kind, phys_port_name, other;
    in >> link.ifindex >> name >> link.flags >> operstate >> values[0] >> values[1] >> values[2] >> values[3] >>
        address >> link.master >> link.parent >> netnsid >> link_kind >> slave_kind >> phys_port_name;
    link.name = text(name);
    link.operstate = static_cast<portsync::OperState>(operstate);
    std::optional<std::uint32_t>* const numbers[] = {&link.mtu, &link.carrier_changes, &link.carrier_up_count,
                                                     &link.carrier_down_count};
    for (std::size_t i = 0; in && i < 4; ++i) {
      if (values[i] != "-") *numbers[i] = static_cast<std::uint32_t>(std::stoul(values[i]));
    }
    const std::string bytes = text(address);
    link.address.size = static_cast<std::uint8_t>(bytes.copy(reinterpret_cast<char*>(link.address.bytes.data()), 32));
    if (in && netnsid != "-") link.parent_netnsid = static_cast<std::int32_t>(std::stol(netnsid));
    link.kind = text(link_kind);
    link.slave_kind = text(slave_kind);
    link.phys_port_name = text(phys_port_name);
    if (!in) throw std::runtime_error("not a link of a trace: " + line);
    while (in >> other) link.alternative_names.push_back(text(other));
  } else if (!in || kind < 0 || kind > static_cast<int>(portsync::LinkEvent::Kind::drained)) {
    throw std::runtime_error("not a line of a trace: " + line);
  }
  return step;
}

inline std::vector<Step> read(std::istream& in) {
  std::vector<Step> steps;
  for (std::string line; std::getline(in, line);) steps.push_back(from_line(line));
  return steps;
}

}  // namespace trace

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <portsync/state_sink.hpp>
#include <string>
#include <vector>

namespace portsync::test {

// Stores the calls of a sink.
struct SinkObserver : StateSink::Observer {
  struct Result {
    std::string port;
    Revision revision;
    std::error_code error;
  };

  void on_open() override { ++opens; }
  void on_row(const StoredRow& row) override {
    auto& fields = rows[std::string(row.port)];
    for (const auto& [name, value] : *row.fields) fields[std::string(name)] = value;
  }
  void on_read_back(std::error_code error) override { read_backs.push_back(error); }
  void on_result(std::string_view port, Revision revision, std::error_code error) override {
    results.push_back({std::string(port), revision, error});
  }
  void on_closed(std::error_code error) override { closings.push_back(error); }

  int opens = 0;
  std::map<std::string, std::map<std::string, std::string>> rows;
  std::vector<std::error_code> read_backs;
  std::vector<Result> results;
  std::vector<std::error_code> closings;
};

}  // namespace portsync::test

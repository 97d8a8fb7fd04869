// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <portsync/error.hpp>
#include <portsync/redis/tables.hpp>
#include <utility>

#include "redis/read_back.hpp"

namespace portsync::redis {
namespace {

constexpr std::size_t max_rows = 65'536;        // a larger table is not one of SONiC's
constexpr std::size_t max_outstanding = 1'024;  // HGETALL commands of one read
constexpr std::size_t max_staged_rows = 128;    // by one script, because Redis does nothing else meanwhile
constexpr std::size_t max_staged_words = 65'536;

using Names = std::set<std::string, std::less<>>;
using ErrorHandler = std::function<void(std::error_code)>;

// Takes the fields from HGETALL's reply.
std::error_code take_fields(const Answer& answer, FieldValues& fields) {
  const auto& words = answer.elements;
  if (answer.type != Answer::Type::array || words.size() % 2 != 0) return Errc::protocol;
  fields.reserve(words.size() / 2);
  for (std::size_t i = 0; i < words.size(); i += 2) fields.emplace_back(words[i].text, words[i + 1].text);
  return {};
}

Database::Handler error_only(ErrorHandler handler) {
  return [handler = std::move(handler)](std::error_code error, const Answer&) {
    if (handler) handler(error);
  };
}

// Joins several commands to one handler. It is called after the last reply, with the first error. Each command must get
// its share before the first reply.
class Joint {
 public:
  explicit Joint(ErrorHandler handler) : state_(std::make_shared<State>(State{std::move(handler), 0, {}})) {}

  [[nodiscard]] ErrorHandler share() const {
    ++state_->unanswered;
    return [state = state_](std::error_code error) {
      if (!state->error) state->error = error;
      if (--state->unanswered == 0 && state->handler) state->handler(state->error);
    };
  }

 private:
  struct State {
    ErrorHandler handler;
    std::size_t unanswered;
    std::error_code error;
  };
  std::shared_ptr<State> state_;
};

// Handles EXISTS' reply: inserts the name if the key exists.
Database::Handler insert_if_found(std::shared_ptr<Names> found, std::string name, ErrorHandler done) {
  return [found = std::move(found), name = std::move(name), done = std::move(done)](std::error_code error,
                                                                                    const Answer& answer) {
    if (!error && answer.type != Answer::Type::integer) error = Errc::protocol;
    if (answer.integer == 1) found->insert(name);
    done(error);
  };
}

// Sends a PING for a call that requests nothing, so that its handler too is called in its turn and from process().
std::error_code ask_nothing(Database& database, ErrorHandler handler) {
  return database.command({"PING"}, error_only(std::move(handler)));
}

// Reads the names of a table and, for read_all(), then the rows. The handlers of its commands own it.
class Reading : public std::enable_shared_from_this<Reading> {
 public:
  Reading(Database& database, std::string prefix, TableReader::NamesHandler names_handler,
          TableReader::RowsHandler rows_handler)
      : database_(database),
        prefix_(std::move(prefix)),
        names_handler_(std::move(names_handler)),
        rows_handler_(std::move(rows_handler)) {}

  [[nodiscard]] std::error_code scan(std::string_view cursor) {
    const std::string pattern = escape_glob(prefix_) + '*';
    return database_.command(
        {"SCAN", cursor, "MATCH", pattern, "COUNT", "1000"},
        [self = shared_from_this()](std::error_code error, const Answer& answer) { self->on_scan(error, answer); });
  }

 private:
  void on_scan(std::error_code error, const Answer& answer) {
    if (!error) error = take_keys(answer);
    if (!error && answer.elements[0].text == "0") return on_names();
    if (!error) error = scan(answer.elements[0].text);
    if (error) end(error);
  }

  std::error_code take_keys(const Answer& answer) {
    const auto& parts = answer.elements;
    if (parts.size() != 2 || parts[0].text.empty() || parts[1].type != Answer::Type::array) return Errc::protocol;
    for (const Answer& key : parts[1].elements) {
      const std::string_view text = key.text;
      if (text.size() > prefix_.size() && text.starts_with(prefix_)) names_.emplace(text.substr(prefix_.size()));
    }
    if (names_.size() > max_rows || ++scans_ > ReadBack::max_scans) return Errc::protocol;
    return {};
  }

  void on_names() {
    if (!rows_handler_) return end({});
    next_ = names_.begin();
    ask_rows();
  }

  void ask_rows() {
    while (!error_ && outstanding_ < max_outstanding && next_ != names_.end()) {
      const std::string key = prefix_ + *next_;
      error_ = database_.command(
          {"HGETALL", key}, [self = shared_from_this(), name = next_](std::error_code error, const Answer& answer) {
            self->on_row(*name, error, answer);
          });
      if (error_) break;
      ++outstanding_;
      ++next_;
    }
    if (outstanding_ == 0) end(error_);
  }

  void on_row(const std::string& name, std::error_code error, const Answer& answer) {
    --outstanding_;
    TableRow row{name, {}};
    if (!error) error = take_fields(answer, row.fields);
    if (!error && !row.fields.empty()) rows_.push_back(std::move(row));
    // A key that is not a hash is not a row.
    if (error && error != Errc::wrongtype && !error_) error_ = error;
    ask_rows();
  }

  void end(std::error_code error) {
    if (error) {
      names_.clear();
      rows_.clear();
    }
    rows_handler_ ? rows_handler_(error, rows_) : names_handler_(error, names_);
  }

  Database& database_;
  const std::string prefix_;
  const TableReader::NamesHandler names_handler_;  // either this or the next one is set
  const TableReader::RowsHandler rows_handler_;
  Names names_;
  std::size_t scans_ = 0;
  Names::const_iterator next_;  // the next row to request
  std::size_t outstanding_ = 0;
  std::error_code error_;
  std::vector<TableRow> rows_;
};

// Stages rows. If a command of a row is refused, the script still stages the other rows. It returns the first refusal.
//
// The script adds a name to the set of waiting names only after the rest of the row is staged, because a consumer fails
// on a name without its row. It publishes before that: a name that is already in the set gets no message, so a name
// whose PUBLISH was refused must not get into it. Apart from refusals the order does not matter, because a script is
// atomic. Fields are set 500 at a time, because Lua unpacks no more than some thousands of words.
//
// KEYS: the set of waiting names, the set of names to delete, and each row's staged hash. ARGV: the channel (which is
// no key), and for each row its name, the number of words that follow, and those words; 0 = delete the row.
constexpr std::string_view script = R"(local refusal
local function call(...)
  local answer = redis.pcall(...)
  if type(answer) ~= 'table' or not answer.err then return answer end
  local command, key = ...
  refusal = refusal or redis.error_reply(answer.err .. ' (' .. command .. ' ' .. key .. ')')
end
local at = 2
for row = 3, #KEYS do
  local name, last = ARGV[at], at + 1 + ARGV[at + 1]
  local done = true
  if last == at + 1 then done = call('SADD', KEYS[2], name) and call('DEL', KEYS[row]) end
  for first = at + 2, last, 1000 do
    done = done and call('HSET', KEYS[row], unpack(ARGV, first, math.min(first + 999, last)))
  end
  if done and call('SISMEMBER', KEYS[1], name) == 0 and call('PUBLISH', ARGV[1], 'G') then call('SADD', KEYS[1], name) end
  at = last + 1
end
return refusal or redis.status_reply('OK'))";

// Collects rows, and runs the script whenever there are enough of them.
class Staging {
 public:
  Staging(Database& database, const std::string& table, const std::string& separator, int number, ErrorHandler handler)
      : database_(database),
        key_set_(table + "_KEY_SET"),
        deleted_(table + "_DEL_SET"),
        staged_('_' + table + separator),
        channel_(table + "_CHANNEL@" + std::to_string(number)),
        joint_(std::move(handler)) {}

  void set(const TableRow& row) {
    begin_row(row.name, std::max<std::size_t>(row.fields.size(), 1) * 2);
    for (const auto& [field, value] : row.fields) {
      arguments_.push_back(field);
      arguments_.push_back(value);
    }
    if (row.fields.empty()) arguments_.insert(arguments_.end(), {"NULL", "NULL"});
    run_if(staged_keys_.size() >= max_staged_rows || arguments_.size() >= max_staged_words);
  }
  void del(const std::string& name) {
    begin_row(name, 0);
    run_if(staged_keys_.size() >= max_staged_rows);
  }
  [[nodiscard]] std::error_code finish() {
    run_if(!staged_keys_.empty());
    if (!any_ && !error_) error_ = database_.command({"PING"}, error_only(joint_.share()));
    return error_;
  }

 private:
  void begin_row(const std::string& name, std::size_t words) {
    staged_keys_.push_back(staged_ + name);
    arguments_.push_back(name);
    arguments_.push_back(std::to_string(words));
  }
  // Only the first command can fail: if the database is not open.
  void run_if(bool due) {
    if (!due || error_) return;
    const std::string key_count = std::to_string(2 + staged_keys_.size());
    std::vector<std::string_view> words{"EVAL", script, key_count, key_set_, deleted_};
    words.insert(words.end(), staged_keys_.begin(), staged_keys_.end());
    words.emplace_back(channel_);
    words.insert(words.end(), arguments_.begin(), arguments_.end());
    error_ = database_.command(words, error_only(joint_.share()));
    any_ = true;
    staged_keys_.clear();
    arguments_.clear();
  }

  Database& database_;
  const std::string key_set_;
  const std::string deleted_;
  const std::string staged_;  // the prefix of a staged hash's key
  const std::string channel_;
  const Joint joint_;
  std::vector<std::string> staged_keys_;
  std::vector<std::string> arguments_;
  std::error_code error_;
  bool any_ = false;
};

}  // namespace

const std::string* find_field(const FieldValues& fields, std::string_view name) noexcept {
  const auto found = std::find_if(fields.begin(), fields.end(), [name](const auto& has) { return has.first == name; });
  return found == fields.end() ? nullptr : &found->second;
}

TableReader::TableReader(Database& database, std::string table, std::string separator)
    : database_(database), table_(std::move(table)), separator_(std::move(separator)) {}

std::error_code TableReader::read(std::string_view name, RowHandler handler) {
  const std::string key = table_ + separator_ + std::string(name);
  return database_.command({"HGETALL", key},
                           [handler = std::move(handler)](std::error_code error, const Answer& answer) {
                             FieldValues fields;
                             if (!error) error = take_fields(answer, fields);
                             handler(error, fields);
                           });
}

std::error_code TableReader::read_all(RowsHandler handler) {
  return std::make_shared<Reading>(database_, table_ + separator_, NamesHandler(), std::move(handler))->scan("0");
}

std::error_code TableReader::names(NamesHandler handler) {
  return std::make_shared<Reading>(database_, table_ + separator_, std::move(handler), RowsHandler())->scan("0");
}

std::error_code TableReader::existing(const std::vector<std::string>& names, NamesHandler handler) {
  const auto found = std::make_shared<Names>();
  const ErrorHandler finish = [found, handler = std::move(handler)](std::error_code error) {
    if (error) found->clear();
    handler(error, *found);
  };
  if (names.empty()) return ask_nothing(database_, finish);
  const Joint joint(finish);
  for (const std::string& name : names) {
    const std::string key = table_ + separator_ + name;
    if (const std::error_code error = database_.command({"EXISTS", key}, insert_if_found(found, name, joint.share()))) {
      return error;
    }
  }
  return {};
}

TableWriter::TableWriter(Database& database, std::string table, std::string separator)
    : database_(database), table_(std::move(table)), separator_(std::move(separator)) {}

std::error_code TableWriter::set(std::string_view name, const FieldValues& fields, Handler handler) {
  if (fields.empty()) return std::make_error_code(std::errc::invalid_argument);
  const std::string key = table_ + separator_ + std::string(name);
  std::vector<std::string_view> words{"HSET", key};
  words.reserve(2 + 2 * fields.size());
  for (const auto& [field, value] : fields) {
    words.push_back(field);
    words.push_back(value);
  }
  return database_.command(words, error_only(std::move(handler)));
}

std::error_code TableWriter::del(std::string_view name, Handler handler) {
  const std::string key = table_ + separator_ + std::string(name);
  return database_.command({"DEL", key}, error_only(std::move(handler)));
}

ProducerTable::ProducerTable(Database& database, std::string table, std::string separator, int number)
    : database_(database), table_(std::move(table)), separator_(std::move(separator)), number_(number) {}

std::error_code ProducerTable::set(const std::vector<TableRow>& rows, Handler handler) {
  Staging staging(database_, table_, separator_, number_, std::move(handler));
  for (const TableRow& row : rows) staging.set(row);
  return staging.finish();
}

std::error_code ProducerTable::del(const std::vector<std::string>& names, Handler handler) {
  Staging staging(database_, table_, separator_, number_, std::move(handler));
  for (const std::string& name : names) staging.del(name);
  return staging.finish();
}

}  // namespace portsync::redis

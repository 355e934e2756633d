#include "external/conversation.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.hpp"

namespace fleet {
namespace {

constexpr std::size_t kLongestLine = std::size_t{1} << 28U;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// A value for messages.
std::string shown(const Json& value) {
  return value.is_structured() ? value.type_name() : value.dump();
}

/// The beginning of what was answered, for messages.
std::string excerpt(const std::string& line) {
  constexpr std::size_t kLongest = 120;
  std::string text;
  for (const char c : line.substr(0, kLongest)) text += static_cast<unsigned char>(c) < 0x20U ? ' ' : c;
  return line.size() > kLongest ? text + "..." : text;
}

}  // namespace

void Answer::reject(std::string_view complaint) const {
  throw Error(cat(about_, " with what is not right: ", complaint));
}

const Json& Answer::at(const char* name) const {
  if (!has(name)) reject(cat("\"", name, "\" is missing"));
  return fields_.at(name);
}

double Answer::number(const char* name) const {
  // JSON has no name for what is not finite: null stands for it.
  if (fields_.contains(name) && fields_.at(name).is_null()) return std::numeric_limits<double>::quiet_NaN();
  const Json& value = at(name);
  if (!value.is_number()) reject(cat("\"", name, "\" is no number but ", shown(value)));
  return value.get<double>();
}

std::int64_t Answer::whole(const char* name, std::int64_t least, std::int64_t most) const {
  const Json& value = at(name);
  if (!value.is_number_integer()) reject(cat("\"", name, "\" is no integer but ", shown(value)));
  const auto number = value.get<std::int64_t>();
  if (number < least || number > most) reject(cat("\"", name, "\" is ", number, ", expected ", least, " to ", most));
  return number;
}

std::string Answer::text(const char* name) const {
  const Json& value = at(name);
  if (!value.is_string()) reject(cat("\"", name, "\" is no string but ", shown(value)));
  return value.get<std::string>();
}

bool Answer::flag(const char* name) const {
  if (!has(name)) return false;
  const Json& value = at(name);
  if (!value.is_boolean()) reject(cat("\"", name, "\" is neither true nor false but ", shown(value)));
  return value.get<bool>();
}

std::vector<std::string> Answer::texts(const char* name) const {
  std::vector<std::string> texts;
  const Json& list = at(name);
  if (!list.is_array()) reject(cat("\"", name, "\" is no list but ", shown(list)));
  for (const Json& item : list) {
    if (!item.is_string()) reject(cat("\"", name, "\" holds ", shown(item), ", which is no string"));
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

std::vector<std::int64_t> Answer::wholes(const char* name) const {
  std::vector<std::int64_t> wholes;
  const Json& list = at(name);
  if (!list.is_array()) reject(cat("\"", name, "\" is no list but ", shown(list)));
  for (const Json& item : list) {
    if (!item.is_number_integer()) reject(cat("\"", name, "\" holds ", shown(item), ", which is no integer"));
    wholes.push_back(item.get<std::int64_t>());
  }
  return wholes;
}

std::vector<std::vector<double>> Answer::rows(const char* name, std::size_t length) const {
  std::vector<std::vector<double>> rows;
  const Json& list = at(name);
  if (!list.is_array()) reject(cat("\"", name, "\" is no list but ", shown(list)));
  for (const Json& row : list) {
    if (!row.is_array() || row.size() != length) {
      reject(cat("\"", name, "\" holds ", shown(row), ", expected a list of ", length, " numbers"));
    }
    std::vector<double>& numbers = rows.emplace_back();
    for (const Json& item : row) {
      if (!item.is_number()) reject(cat("\"", name, "\" holds ", shown(item), ", expected a finite number"));
      numbers.push_back(item.get<double>());
    }
  }
  return rows;
}

Conversation::Conversation(ChildOptions options, double time_limit) : time_limit_(time_limit) {
  child_.emplace(std::move(options), memory_);
  name_ = cat("the program `", child_->name(), "`");
  ::fcntl(socket(), F_SETFL, O_NONBLOCK);
  greet();
}

Conversation::Conversation(Descriptor socket, Descriptor memory, double time_limit)
    : memory_(std::move(memory)), socket_(std::move(socket)), name_("the other process"), time_limit_(time_limit) {
  ::fcntl(socket_.number(), F_SETFL, O_NONBLOCK);
  greet();
}

void Conversation::greet() {
  const Answer answer = ask("hello", {{"protocol", kProtocolVersion}});
  const std::int64_t spoken = answer.whole("protocol", 0, std::numeric_limits<std::int32_t>::max());
  if (spoken == kProtocolVersion) return;
  give_up("hello", cat("speaks version ", spoken, " of the protocol; this program speaks version ", kProtocolVersion));
}

Answer Conversation::ask(std::string_view call, Json fields) {
  require(open_, name_, " cannot be asked any more");
  if (fields.is_null()) fields = Json::object();
  if (known_memory_ != memory_.size() && call != "resize_memory") {
    ask("resize_memory", {{"bytes", memory_.size()}});
    known_memory_ = memory_.size();
  }
  fields["call"] = call;
  fields["id"] = ++requests_;
  Json answer = exchange(call, fields);
  if (!answer.is_object() || !answer.contains("id") || answer["id"] != requests_) {
    give_up(call, cat("answered with what is no answer to request ", requests_, ": ", excerpt(shown(answer))));
  }
  std::string about = cat(name_, " answered \"", call, "\"");
  if (!answer.contains("error")) return {std::move(answer), std::move(about)};
  if (child_) child_->forget();
  const std::string error = answer["error"].is_string() ? answer["error"].get<std::string>() : shown(answer["error"]);
  if (answer.contains("key") && answer["key"].is_string()) throw SettingError(error, answer["key"].get<std::string>());
  throw Error(cat(name_, ": ", error));
}

Json Conversation::exchange(std::string_view call, const Json& request) {
  send(call, request.dump() + '\n');
  const std::string line = receive(call);
  Json answer = Json::parse(line, nullptr, false);
  if (answer.is_discarded()) give_up(call, cat("answered with what is no JSON: ", excerpt(line)));
  if (!received_.empty()) give_up(call, cat("gave two answers; the second begins: ", excerpt(received_)));
  return answer;
}

void Conversation::send(std::string_view call, const std::string& line) {
  const double deadline = now() + time_limit_;
  for (std::size_t sent = 0; sent < line.size();) {
    const ssize_t part = ::send(socket(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (part > 0) {
      sent += static_cast<std::size_t>(part);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      await(call, POLLOUT, deadline);
    } else if (errno != EINTR) {
      end_of_other(call);
    }
  }
}

std::string Conversation::receive(std::string_view call) {
  const double deadline = now() + time_limit_;
  std::array<char, 65536> chunk{};
  std::size_t looked_at = 0;
  for (;;) {
    const std::size_t end = received_.find('\n', looked_at);
    if (end != std::string::npos) {
      std::string line = received_.substr(0, end);
      received_.erase(0, end + 1);
      return line;
    }
    looked_at = received_.size();
    if (looked_at > kLongestLine) give_up(call, cat("answered with more than ", kLongestLine, " characters"));
    const ssize_t part = ::recv(socket(), chunk.data(), chunk.size(), 0);
    if (part > 0) {
      received_.append(chunk.data(), static_cast<std::size_t>(part));
    } else if (part < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      await(call, POLLIN, deadline);
    } else if (part == 0 || errno != EINTR) {
      end_of_other(call);
    }
  }
}

void Conversation::await(std::string_view call, short events, double deadline) {
  const double left = deadline - now();
  if (left <= 0.0) {
    give_up(call, cat("gave no answer within ", time_limit_, " s (run.external.time_limit)"));
  }
  std::array<pollfd, 2> waited = {pollfd{.fd = socket(), .events = events, .revents = 0},
                                  pollfd{.fd = child_ ? child_->streams() : -1, .events = POLLIN, .revents = 0}};
  const int milliseconds = static_cast<int>(std::min(std::ceil(left * 1e3), 1e6));
  if (::poll(waited.data(), waited.size(), milliseconds) <= 0 || !child_ || waited[1].revents == 0) return;
  child_->listen();
  // Streams that are closed are ready for ever: the socket alone tells from now on when there is something to do.
  if ((waited[1].revents & POLLIN) == 0) ::poll(waited.data(), 1, std::min(milliseconds, 100));
}

void Conversation::end_of_other(std::string_view call) {
  give_up(call, child_ ? child_->ending() : "is gone");
}

void Conversation::give_up(std::string_view call, const std::string& why) {
  open_ = false;
  std::string message = cat(name_, " was asked \"", call, "\" and ", why);
  if (child_) {
    child_->kill();
    const std::string words = child_->last_words();
    message += words.empty() ? "; it said nothing" : "; its last words: " + words;
  }
  throw Error(message);
}

}  // namespace fleet

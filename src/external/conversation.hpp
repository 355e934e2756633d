// Requests to another process and its answers, as docs/protocol.md has them: a line of JSON each on a socket, numbers
// in bulk in shared memory. Whatever can go wrong on the other side, its death and its silence included, is an Error
// that says what it was asked and how it answered.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "external/child.hpp"
#include "external/shared_memory.hpp"

namespace fleet {

using Json = nlohmann::json;

/// What we speak; a program that speaks another version is refused.
inline constexpr int kProtocolVersion = 1;

/// A mistake that a program found in one of its settings.
class SettingError : public Error {
 public:
  SettingError(const std::string& message, std::string key) : Error(message), key_(std::move(key)) {}
  /// Its name in the table that the program was given.
  [[nodiscard]] const std::string& key() const { return key_; }

 private:
  std::string key_;
};

/// An answer; what is asked of it and is not there, or of another type, is an Error.
class Answer {
 public:
  Answer(Json fields, std::string about) : fields_(std::move(fields)), about_(std::move(about)) {}

  [[nodiscard]] bool has(const char* name) const { return fields_.contains(name) && !fields_.at(name).is_null(); }
  /// A finite number.
  [[nodiscard]] double number(const char* name) const;
  [[nodiscard]] std::int64_t whole(const char* name, std::int64_t least, std::int64_t most) const;
  [[nodiscard]] std::string text(const char* name) const;
  [[nodiscard]] bool flag(const char* name) const;
  [[nodiscard]] std::vector<std::string> texts(const char* name) const;
  [[nodiscard]] std::vector<std::int64_t> wholes(const char* name) const;
  /// Lists of finite numbers, each of `length`.
  [[nodiscard]] std::vector<std::vector<double>> rows(const char* name, std::size_t length) const;
  [[nodiscard]] const Json& at(const char* name) const;
  /// Error "... answered "train" with what is not right: COMPLAINT".
  [[noreturn]] void reject(std::string_view complaint) const;

 private:
  Json fields_;
  std::string about_;  // who answered what
};

class Conversation {
 public:
  /// With a program that is started for it. Error if it cannot be started, or does not speak our protocol.
  Conversation(ChildOptions options, double time_limit);
  /// With a process that has started us, over descriptors that we were given.
  Conversation(Descriptor socket, Descriptor memory, double time_limit);

  /// The answer to a request; `fields` is an object or null. Error, after which nothing can be asked any more: the
  /// process has ended, gives no answer within `time_limit` seconds, or one that is none. Error, after which others can
  /// be asked: it answers that it cannot.
  Answer ask(std::string_view call, Json fields = {});

  [[nodiscard]] SharedMemory& memory() { return memory_; }
  /// Who answers, as messages name it.
  [[nodiscard]] const std::string& name() const { return name_; }
  /// Whether more can be asked.
  [[nodiscard]] bool is_open() const { return open_; }
  /// Of whatever is given a number in a conversation.
  [[nodiscard]] std::int64_t new_handle() { return ++handles_; }

 private:
  void greet();
  [[nodiscard]] Json exchange(std::string_view call, const Json& request);
  void send(std::string_view call, const std::string& line);
  [[nodiscard]] std::string receive(std::string_view call);
  /// Waits until the socket is ready for `events`, and listens to the child meanwhile. Error when time is up.
  void await(std::string_view call, short events, double deadline);
  /// Ends the conversation. Throws Error(what it was asked, why, its last words).
  [[noreturn]] void give_up(std::string_view call, const std::string& why);
  [[noreturn]] void end_of_other(std::string_view call);
  [[nodiscard]] int socket() const { return child_ ? child_->socket() : socket_.number(); }

  SharedMemory memory_;
  std::optional<Child> child_;
  Descriptor socket_;  // of a process that is no child
  std::string name_;
  double time_limit_;
  bool open_ = true;
  std::size_t known_memory_ = 0;  // bytes that the other process has mapped
  std::int64_t requests_ = 0;
  std::int64_t handles_ = 0;
  std::string received_;  // what follows the last answer
};

}  // namespace fleet

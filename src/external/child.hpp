// A program at work for this process for a long time: it hears of requests on a socket, shares memory, and never
// outlives us, however we end. Hides the process, its descriptors and what it says on its standard streams.
#pragma once

#include <sys/types.h>

#include <string>

#include "external/shared_memory.hpp"
#include "io/descriptor.hpp"
#include "io/subprocess.hpp"

namespace fleet {

struct ChildOptions {
  ProgramLine command;  ///< the program, on the PATH unless its name holds a slash, and its arguments
  int threads = 1;      ///< that its numerical libraries are to use
  bool shows = false;   ///< what it says on its standard streams goes to our standard error, line by line
};

class Child {
 public:
  /// The descriptors by which the program finds socket and memory, of which the environment tells it as well:
  /// FLEET_SOCKET, FLEET_MEMORY, FLEET_PROTOCOL.
  static constexpr int kSocket = 3;
  static constexpr int kMemory = 4;

  /// Starts the program, with standard input empty. Error if it cannot be started.
  Child(ChildOptions options, const SharedMemory& memory);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  /// Closes the socket; a program that has not ended a while later is killed, with what it has started.
  ~Child();

  [[nodiscard]] int socket() const { return socket_.number(); }
  /// Both of its standard streams, to be listened to while we wait: else it may wait for us to read.
  [[nodiscard]] int streams() const { return streams_.number(); }
  /// Takes in what it has said.
  void listen();
  /// Kills it, with what it has started.
  void kill();
  /// For a program that has closed its socket: waits for its end; how it ended, say "ended with status 1".
  [[nodiscard]] std::string ending();
  /// What it has said so far is no longer among its last words: it belongs to a mistake that was reported.
  void forget();
  /// The last lines that it said, on one line; empty if it said nothing.
  [[nodiscard]] std::string last_words();
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  void start(int socket, int memory, int streams);
  [[nodiscard]] bool wait(double seconds);

  ChildOptions options_;
  std::string name_;
  Descriptor socket_;
  Descriptor streams_;
  pid_t process_ = 0;  // 0: ended and waited for
  int status_ = 0;
  std::string said_;   // the end of it
  std::string shown_;  // the line that is not complete yet
};

}  // namespace fleet

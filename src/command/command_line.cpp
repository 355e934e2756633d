#include "command/command_line.hpp"

#include <chrono>
#include <csignal>
#include <iostream>
#include <thread>

#include "base/error.hpp"
#include "comm/agreement.hpp"
#include "comm/stop_notice.hpp"
#include "version.hpp"

namespace fleet {
namespace {

using namespace exit_code;

volatile std::sig_atomic_t stop_signal = 0;
void note_signal(int number) {
  stop_signal = number;
}

void watch_signals() {
  for (const int number : {SIGINT, SIGTERM, SIGUSR1}) std::signal(number, note_signal);
}

/// What a rank was started as.
std::string start_of(const std::string& command, const Arguments& arguments) {
  std::string text = cat("fleet ", kVersion, " (", kGitRevision, ") ", command);
  for (const std::string& argument : arguments) text += " " + shell_quoted(argument);
  return text;
}

}  // namespace

std::string shell_quoted(const std::string& text) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./,:@%";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

int on_ranks(const std::string& command, const Arguments& arguments,
             const std::function<int(const Comm& world)>& work) {
  int argc = 0;
  char** argv = nullptr;
  MpiSession session(argc, argv);
  Comm world = MpiSession::world();
  watch_signals();
  StopNotice notice(world, [] { return stop_signal != 0; });
  world.set_stop_request([&] { return notice.requested(); });
  try {
    // On one rank the help is text, on several it would be a chorus.
    if (!world.is_root()) std::cout.setstate(std::ios::failbit);
    require_same(world, "what they run", start_of(command, arguments));
    return work(world);
  } catch (const ConfigError& error) {
    if (world.is_root()) std::cerr << "fleet: " << error.what() << std::endl;
    return kMisused;
  } catch (const Interrupted& interrupted) {
    if (world.is_root()) std::cerr << "fleet: " << interrupted.what() << std::endl;
    return kInterrupted;
  } catch (const Error& error) {
    if (world.size() == 1) {  // nobody else is waiting in MPI
      std::cerr << "fleet: " << error.what() << std::endl;
      return kFailed;
    }
    const auto* shared = dynamic_cast<const SharedError*>(&error);
    if (shared != nullptr && !shared->is_speaker()) {
      std::this_thread::sleep_for(std::chrono::seconds(5));  // let the speaker end the run
    }
    abort_run(error.what(), kFailed);
  } catch (const std::exception& error) {
    abort_run(error.what(), kFailed);
  }
}

}  // namespace fleet

#include "external/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <iostream>
#include <sstream>
#include <thread>

#include "base/error.hpp"

namespace fleet {
namespace {

constexpr std::size_t kMostKept = 16384;  // bytes of what a program says
constexpr int kFreeDescriptor = 10;       // above those that a program gets
constexpr double kPatience = 3.0;         // seconds for a program to end by itself

/// Ours, less what would make the program a rank of MPI; libraries use as many threads as we do.
std::vector<std::string> environment_of_child(int threads) {
  constexpr std::array<std::string_view, 9> kDropped = {
      "OMPI_", "PMIX_", "PMI_", "PRTE_", "HYDRA_", "MPIR_", "FLEET_PROTOCOL", "FLEET_SOCKET", "FLEET_MEMORY"};
  constexpr std::array<std::string_view, 4> kThreads = {
      "OMP_NUM_THREADS=", "OPENBLAS_NUM_THREADS=", "MKL_NUM_THREADS=", "NUMEXPR_NUM_THREADS="};
  const auto starts = [](std::string_view text) {
    return [text](std::string_view prefix) { return text.starts_with(prefix); };
  };
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const auto starts_with = starts(*variable);
    if (std::any_of(kDropped.begin(), kDropped.end(), starts_with)) continue;
    if (std::any_of(kThreads.begin(), kThreads.end(), starts_with)) continue;
    variables.emplace_back(*variable);
  }
  for (const std::string_view each : kThreads) variables.push_back(cat(each, threads));
  variables.push_back(cat("FLEET_SOCKET=", Child::kSocket));
  variables.push_back(cat("FLEET_MEMORY=", Child::kMemory));
  variables.emplace_back("FLEET_PROTOCOL=1");
  return variables;
}

/// A copy with a number that no program's descriptor has.
Descriptor out_of_the_way(int number) {
  Descriptor copy(::fcntl(number, F_DUPFD_CLOEXEC, kFreeDescriptor));
  require(copy.number() >= 0, "cannot copy a descriptor: ", std::strerror(errno));
  return copy;
}

/// In the new process, which shares our memory until it has become the program: system calls, and nothing else. Gives
/// the reason why it has not become the program.
int become(const std::array<int, 5>& descriptors, pid_t parent, char* const* arguments, char* const* variables) {
  ::setpgid(0, 0);  // ctrl-C is for us; and what it starts can be killed with it
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) return ESRCH;
  for (std::size_t i = 0; i < descriptors.size(); ++i) {
    if (::dup2(descriptors[i], static_cast<int>(i)) < 0) return errno;
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execvpe(arguments[0], arguments, variables);
  return errno;
}

std::string one_line(const std::string& text, int lines, std::size_t longest) {
  std::vector<std::string> all;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (line.find_first_not_of(" \t\r") != std::string::npos) all.push_back(line);
  }
  std::string joined;
  for (std::size_t i = all.size() - std::min(all.size(), static_cast<std::size_t>(lines)); i < all.size(); ++i) {
    const std::size_t begin = all[i].find_first_not_of(" \t\r");
    joined += (joined.empty() ? "" : "; ") + all[i].substr(begin, all[i].find_last_not_of(" \t\r") + 1 - begin);
  }
  return joined.size() <= longest ? joined : "... " + joined.substr(joined.size() - longest);
}

}  // namespace

Child::Child(ChildOptions options, const SharedMemory& memory) : options_(std::move(options)) {
  for (const std::string& word : options_.command) name_ += (name_.empty() ? "" : " ") + word;
  std::array<int, 2> sockets{};
  require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()) == 0,
          "cannot make a socket: ", std::strerror(errno));
  socket_ = Descriptor(sockets[0]);
  const Descriptor its_socket(sockets[1]);
  std::array<int, 2> pipe{};
  require(::pipe2(pipe.data(), O_CLOEXEC) == 0, "cannot create a pipe: ", std::strerror(errno));
  streams_ = Descriptor(pipe[0]);
  const Descriptor its_streams(pipe[1]);
  ::fcntl(streams_.number(), F_SETFL, O_NONBLOCK);
  start(its_socket.number(), memory.descriptor(), its_streams.number());
}

void Child::start(int socket, int memory, int streams) {
  const Descriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  require(nothing.number() >= 0, "cannot open /dev/null: ", std::strerror(errno));
  const std::array<Descriptor, 4> copies = {out_of_the_way(nothing.number()), out_of_the_way(streams),
                                            out_of_the_way(socket), out_of_the_way(memory)};
  const std::array<int, 5> descriptors = {copies[0].number(), copies[1].number(), copies[1].number(),
                                          copies[2].number(), copies[3].number()};
  const std::vector<std::string> environment = environment_of_child(options_.threads);
  const std::vector<char*> arguments = pointers_to(options_.command);
  const std::vector<char*> variables = pointers_to(environment);
  const pid_t parent = ::getpid();
  volatile int failure = 0;
  // vfork, as a rank may hold much memory, and memory that network cards know of, of which no copy may be made.
  process_ = ::vfork();
  if (process_ == 0) {
    failure = become(descriptors, parent, arguments.data(), variables.data());
    ::_exit(127);
  }
  if (process_ > 0 && failure == 0) return;
  const int reason = process_ < 0 ? errno : failure;
  if (process_ > 0) ::waitpid(process_, nullptr, 0);
  process_ = 0;
  throw Error(cat("cannot start ", name_, ": ", std::strerror(reason)));
}

Child::~Child() {
  socket_ = Descriptor();
  if (process_ != 0 && !wait(kPatience)) kill();
}

void Child::listen() {
  std::array<char, 4096> chunk{};
  for (;;) {
    const ssize_t got = ::read(streams_.number(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    const std::string_view text(chunk.data(), static_cast<std::size_t>(got));
    said_ += text;
    if (said_.size() > 2 * kMostKept) said_.erase(0, said_.size() - kMostKept);
    if (!options_.shows) continue;
    shown_ += text;
    const std::size_t end = shown_.rfind('\n') + 1;  // npos + 1 = 0
    std::cerr << shown_.substr(0, end) << std::flush;
    shown_.erase(0, end);
  }
}

bool Child::wait(double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::duration<double>(seconds);
  for (auto pause = std::chrono::microseconds(200); process_ != 0;
       pause = std::min(2 * pause, decltype(pause)(20000))) {
    listen();  // lest it waits for room to say its last words
    const pid_t ended = ::waitpid(process_, &status_, WNOHANG);
    if (ended == process_ || (ended < 0 && errno == ECHILD)) {
      listen();
      ::kill(-process_, SIGKILL);  // what it has left behind
      process_ = 0;
    } else if (Clock::now() >= deadline) {
      return false;
    } else {
      std::this_thread::sleep_for(pause);
    }
  }
  return true;
}

void Child::kill() {
  if (process_ == 0) return;
  ::kill(-process_, SIGKILL);
  ::kill(process_, SIGKILL);  // should it have no group of its own yet
  while (::waitpid(process_, &status_, 0) < 0 && errno == EINTR) {
  }
  listen();
  process_ = 0;
}

std::string Child::ending() {
  if (!wait(kPatience)) {
    kill();
    return "closed its socket without ending";
  }
  if (WIFSIGNALED(status_))
    return cat("was ended by signal ", WTERMSIG(status_), " (", ::strsignal(WTERMSIG(status_)), ")");
  return cat("ended with status ", WEXITSTATUS(status_));
}

void Child::forget() {
  listen();
  said_.clear();
}

std::string Child::last_words() {
  constexpr int kLines = 6;
  constexpr std::size_t kLongest = 600;
  listen();
  return one_line(said_, kLines, kLongest);
}

}  // namespace fleet

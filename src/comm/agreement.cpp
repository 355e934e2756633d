#include "comm/agreement.hpp"

#include <algorithm>
#include <vector>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/process.hpp"

namespace fleet {
namespace {

/// The first line that differs, of either text; "nothing" where a text has ended.
std::pair<std::string, std::string> first_difference(std::string_view a, std::string_view b) {
  const auto take_line = [](std::string_view& text) -> std::string {
    if (text.empty()) return "nothing";
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    return line;
  };
  while (true) {
    std::string of_a = take_line(a);
    std::string of_b = take_line(b);
    if (of_a != of_b || (a.empty() && b.empty())) return {std::move(of_a), std::move(of_b)};
  }
}

/// Index of the first rank that has something else than rank 0; the number of ranks where none has.
std::size_t first_other(const std::vector<std::string>& values) {
  const auto other = std::find_if(values.begin(), values.end(), [&](const auto& v) { return v != values.front(); });
  return static_cast<std::size_t>(other - values.begin());
}

}  // namespace

void require_same(const Comm& comm, std::string_view what, const std::string& text) {
  const std::size_t rank = first_other(comm.all_gather(Hash().add(text).hex()));
  if (rank == static_cast<std::size_t>(comm.size())) return;
  std::string of_root = text;
  comm.broadcast(of_root);
  const auto [expected, found] = first_difference(of_root, text);
  const std::vector<std::string> all_expected = comm.all_gather(expected);
  const std::vector<std::string> all_found = comm.all_gather(found);
  const std::vector<std::string> hosts = comm.all_gather(host_name());
  throw ConfigError(cat("ranks disagree about ", what, ":\n  rank 0 on ", hosts.front(), ": ", all_expected[rank],
                        "\n  rank ", rank, " on ", hosts[rank], ": ", all_found[rank],
                        "\nStart every rank by the same command, of the same build, where it sees the same files."));
}

void together_telling_where(const Comm& comm, const std::function<void()>& work) {
  std::string failure;  // its kind and its message
  comm.together([&] {
    try {
      work();
    } catch (const ConfigError& error) {
      failure = cat('c', error.what());
    } catch (const Error& error) {
      failure = cat('e', error.what());
    }
  });
  const std::vector<std::string> failures = comm.all_gather(failure);
  const auto first = std::find_if(failures.begin(), failures.end(), [](const auto& f) { return !f.empty(); });
  if (first == failures.end()) return;
  const std::vector<std::string> hosts = comm.all_gather(host_name());
  std::string message = first->substr(1);
  if (first_other(failures) < failures.size()) {
    message += cat("\nThis is so on rank ", first - failures.begin(), ", host ",
                   hosts[static_cast<std::size_t>(first - failures.begin())], ", but not on every rank.");
  }
  if (first->front() == 'c') throw ConfigError(message);
  throw SharedError(message, comm.is_root());
}

}  // namespace fleet

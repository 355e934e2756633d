// What reading a whole file has shown, remembered for as long as the file is not touched: so that a plan need not read
// all data anew to know that they are what they were.
//
// Lives in a file of the user's, a line an answer. A file counts as untouched by its inode, its size and its times of
// change, the latter also of what `touch` cannot set. Whatever is wrong with a line, or with the cache, costs time and
// no more: the answer is found again. Called by the readers of data.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace fleet {

class ContentCache {
 public:
  /// A file that was changed less than `settling` ago may change again without its times telling: what is found in it
  /// is not kept. With no `file`, nothing is.
  explicit ContentCache(std::filesystem::path file = default_file(),
                        std::chrono::nanoseconds settling = std::chrono::seconds(2));

  /// $XDG_CACHE_HOME/fleet/contents, or in .cache of the home directory; empty where there is neither.
  [[nodiscard]] static std::filesystem::path default_file();

  /// The answer to `question` (a name; another for each way to look) about the file at `path`, a single line: what
  /// `find` gives, or has given when the file was what it is now. What `find` throws is thrown, and not remembered.
  std::string answer(const std::filesystem::path& path, std::string_view question,
                     const std::function<std::string()>& find);

  /// Makes the next answer be found again.
  void forget(const std::filesystem::path& path, std::string_view question);

 private:
  void read();
  void append(const std::string& record) const;

  std::filesystem::path file_;
  std::chrono::nanoseconds settling_;
  std::map<std::string, std::string> answers_;  // by question, path and stamp
};

}  // namespace fleet

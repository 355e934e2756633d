#include "data/content_cache.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "scratch.hpp"

namespace fleet {
namespace {

namespace fs = std::filesystem;

constexpr auto kAtOnce = std::chrono::seconds(0);

class ContentCacheTest : public testing::Test {
 protected:
  /// The answer, by a cache that is new to the process; counts whether it had to look.
  std::string ask(std::string_view question = "length", std::chrono::nanoseconds settling = kAtOnce) {
    return ContentCache(cache_, settling).answer(file_, question, [&] {
      ++looked_;
      return std::to_string(Scratch::read(file_).size()) + " bytes";
    });
  }
  void SetUp() override { Scratch::write(file_, "abc"); }

  Scratch scratch_;
  fs::path file_ = scratch_.path() / "data";
  fs::path cache_ = scratch_.path() / "new" / "fleet" / "contents";
  int looked_ = 0;
};

TEST_F(ContentCacheTest, looks_once_at_a_file_that_is_not_touched) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(), "3 bytes");
  EXPECT_EQ(looked_, 1);
  EXPECT_EQ(ask("another question"), "3 bytes");
  EXPECT_EQ(looked_, 2);
}

TEST_F(ContentCacheTest, knows_a_file_by_its_links) {
  EXPECT_EQ(ask(), "3 bytes");
  fs::create_symlink(file_, scratch_.path() / "link");
  file_ = scratch_.path() / "link";
  EXPECT_EQ(ask(), "3 bytes");
  EXPECT_EQ(looked_, 1);
}

TEST_F(ContentCacheTest, looks_again_whatever_has_changed) {
  const auto changes = std::vector<std::function<void()>>{
      [&] { Scratch::write(file_, "abcd"); },
      [&] {  // as long, and with the old time, as soon as the clock of files has moved on
        const auto time = fs::last_write_time(file_);
        const auto changed = [&] {
          struct stat facts {};
          EXPECT_EQ(stat(file_.c_str(), &facts), 0);
          return std::pair(facts.st_ctim.tv_sec, facts.st_ctim.tv_nsec);
        };
        const auto before = changed();
        while (changed() == before) Scratch::write(file_, "ABCD");
        fs::last_write_time(file_, time);
      },
      [&] {  // another file in its place, with the old time
        const auto time = fs::last_write_time(file_);
        Scratch::write(scratch_.path() / "other", "wxyz");
        fs::last_write_time(scratch_.path() / "other", time);
        fs::rename(scratch_.path() / "other", file_);
      },
  };
  for (const auto& change : changes) {
    (void)ask();
    const int before = looked_;
    change();
    (void)ask();
    EXPECT_EQ(looked_, before + 1);
  }
}

TEST_F(ContentCacheTest, keeps_nothing_of_a_file_that_may_change_within_the_same_moment) {
  for (int i = 0; i < 2; ++i) EXPECT_EQ(ask("length", std::chrono::hours(1)), "3 bytes");
  EXPECT_EQ(looked_, 2);
  EXPECT_EQ(ask(), "3 bytes");
  EXPECT_EQ(looked_, 3) << "nor had anything been kept";
}

TEST_F(ContentCacheTest, keeps_nothing_of_a_file_that_changes_while_it_is_read) {
  const auto meddle = [&] {
    ++looked_;
    Scratch::write(file_, std::string(10 + static_cast<std::size_t>(looked_), 'x'));
    return std::string("torn");
  };
  for (int i = 0; i < 2; ++i) EXPECT_EQ(ContentCache(cache_, kAtOnce).answer(file_, "length", meddle), "torn");
  EXPECT_EQ(looked_, 2);
}

TEST_F(ContentCacheTest, what_cannot_be_answered_is_thrown_and_asked_again) {
  const auto refuse = [&]() -> std::string {
    ++looked_;
    throw Error("damaged");
  };
  for (int i = 0; i < 2; ++i) EXPECT_THROW(ContentCache(cache_, kAtOnce).answer(file_, "length", refuse), Error);
  EXPECT_EQ(looked_, 2);
}

TEST_F(ContentCacheTest, forgets_what_it_is_told_to) {
  (void)ask();
  ContentCache(cache_, kAtOnce).forget(file_, "length");
  EXPECT_EQ(ask(), "3 bytes");
  EXPECT_EQ(looked_, 2);
  EXPECT_EQ(ask(), "3 bytes");
  EXPECT_EQ(looked_, 2);
}

TEST_F(ContentCacheTest, no_byte_of_the_cache_that_is_wrong_gives_a_wrong_answer) {
  (void)ask();
  const std::string whole = Scratch::read(cache_);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const char flip : {'\x01', '\x2a', '\xff'}) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ flip);
      Scratch::write(cache_, bytes);
      EXPECT_EQ(ask(), "3 bytes") << at;
    }
    Scratch::write(cache_, whole.substr(0, at));
    EXPECT_EQ(ask(), "3 bytes") << "cut at " << at;
    const int before = looked_;
    EXPECT_EQ(ask(), "3 bytes");
    EXPECT_EQ(looked_, before) << "what follows a line that is cut short counts";
  }
}

TEST_F(ContentCacheTest, does_without_a_place_to_keep_anything) {
  const std::vector<fs::path> places = {"", "/proc/fleet/contents", scratch_.path() / "data" / "fleet" / "contents"};
  for (const fs::path& place : places) {
    cache_ = place;
    const int before = looked_;
    EXPECT_EQ(ask(), "3 bytes") << place;
    EXPECT_EQ(looked_, before + 1);
  }
}

TEST_F(ContentCacheTest, follows_no_link_and_waits_for_no_pipe) {
  fs::create_directories(cache_.parent_path());
  const fs::path strange = scratch_.path() / "precious";
  Scratch::write(strange, "precious");
  fs::create_symlink(strange, cache_);
  EXPECT_EQ(ask(), "3 bytes");
  EXPECT_EQ(Scratch::read(strange), "precious");
  fs::remove(cache_);
  ASSERT_EQ(mkfifo(cache_.c_str(), 0600), 0);
  EXPECT_EQ(ask(), "3 bytes");
}

TEST_F(ContentCacheTest, begins_anew_rather_than_grow_for_ever) {
  (void)ask();
  const auto question = [](int i) { return "question " + std::to_string(i); };
  ContentCache cache(cache_, kAtOnce);
  std::uintmax_t largest = 0;
  for (int i = 0; i < 9000; ++i) {
    (void)cache.answer(file_, question(i), [] { return std::string("a fairly short answer"); });
    if (i % 100 == 0) largest = std::max(largest, fs::file_size(cache_));
  }
  EXPECT_LT(largest, 300'000U);
  EXPECT_GT(largest, 200'000U);
  EXPECT_EQ(ask(), "3 bytes");
}

TEST_F(ContentCacheTest, lives_where_caches_do) {
  const auto set = [](const char* name, const char* value) {
    return value != nullptr ? setenv(name, value, 1) : unsetenv(name);
  };
  const auto place = [&](const char* cache, const char* home) {
    set("XDG_CACHE_HOME", cache);
    set("HOME", home);
    return ContentCache::default_file();
  };
  const char* const cache = getenv("XDG_CACHE_HOME");
  const char* const home = getenv("HOME");
  const std::optional<std::string> kept_cache = cache != nullptr ? std::optional<std::string>(cache) : std::nullopt;
  const std::optional<std::string> kept_home = home != nullptr ? std::optional<std::string>(home) : std::nullopt;
  EXPECT_EQ(place("/cache", "/home/me"), "/cache/fleet/contents");
  EXPECT_EQ(place(nullptr, "/home/me"), "/home/me/.cache/fleet/contents");
  EXPECT_EQ(place("relative", "/home/me"), "/home/me/.cache/fleet/contents");
  EXPECT_EQ(place("", ""), "");
  EXPECT_EQ(place(nullptr, nullptr), "");
  set("XDG_CACHE_HOME", kept_cache ? kept_cache->c_str() : nullptr);
  set("HOME", kept_home ? kept_home->c_str() : nullptr);
}

}  // namespace
}  // namespace fleet

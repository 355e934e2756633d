#include "sweep/claims.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "base/error.hpp"
#include "scratch.hpp"

namespace fleet {
namespace {

TEST(CellClaims, a_cell_is_one_holders_until_it_is_released) {
  const Scratch scratch;
  const CellClaims mine(scratch.path());
  const CellClaims others(scratch.path());
  EXPECT_TRUE(mine.take("0123456789abcdef"));
  EXPECT_FALSE(others.take("0123456789abcdef"));
  EXPECT_TRUE(others.take("0123456789abcdee"));
  mine.release("0123456789abcdef");
  EXPECT_TRUE(others.take("0123456789abcdef"));
}

TEST(CellClaims, a_killed_process_holds_nothing) {
  const Scratch scratch;
  const CellClaims mine(scratch.path());
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const CellClaims its(scratch.path());
    const char taken = its.take("c") ? 'y' : 'n';
    if (write(ready[1], &taken, 1) == 1) pause();
    _exit(0);
  }
  char taken = '?';
  ASSERT_EQ(read(ready[0], &taken, 1), 1);
  EXPECT_EQ(taken, 'y');
  EXPECT_FALSE(mine.take("c"));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(mine.take("c"));
}

TEST(CellClaims, a_directory_that_is_not_there_is_an_error) {
  EXPECT_THROW(CellClaims("/nowhere/at/all"), Error);
}

}  // namespace
}  // namespace fleet

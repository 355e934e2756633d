#include "sweep/proposal.hpp"

#include <gtest/gtest.h>

namespace fleet {
namespace {

TEST(JobScript, asks_for_gpus_only_where_the_sweep_does) {
  Sweep sweep{.name = "sweep"};
  sweep.cells.resize(2);
  const Proposal proposal{.cells = 2};
  const std::string_view request = "#SBATCH --gpus-per-node=";
  EXPECT_EQ(job_script(sweep, proposal, "a.toml", "env.sh").find(request), std::string::npos);
  sweep.cells[1].facts.gpu = true;
  const std::string script = job_script(sweep, proposal, "a.toml", "env.sh");
  EXPECT_LT(script.find(request), script.find("\n\n")) << "among the options, which end at the first command";
}

TEST(JobScript, has_a_line_of_its_own_for_every_option_and_command) {
  const std::string script = job_script({.name = "a.b-c"}, {.cells = 2}, "'my sweep.toml'", "'/opt/my fleet/env.sh'");
  EXPECT_NE(script.find("\n#SBATCH --job-name=a.b-c\n"), std::string::npos);
  EXPECT_NE(script.find("\n#SBATCH --output=a.b-c-%j.log\n"), std::string::npos);
  EXPECT_NE(script.find("\n. '/opt/my fleet/env.sh'\nfleet_run 'my sweep.toml'\n"), std::string::npos);
}

}  // namespace
}  // namespace fleet

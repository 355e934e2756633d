#include "external/workload.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "complaint.hpp"
#include "external/drawing_toy.hpp"
#include "memory_store.hpp"
#include "train/quick_merger.hpp"
#include "train/round_loop.hpp"

namespace fleet {
namespace {

std::shared_ptr<Conversation> program(const std::string& fault = "", double time_limit = 60.0) {
  return std::make_shared<Conversation>(ChildOptions{.command = {FLEET_TOY_PROGRAM, fault}}, time_limit);
}

std::unique_ptr<Workload> outside(const std::string& fault = "", double time_limit = 60.0, bool moments = false) {
  const std::shared_ptr<Conversation> talk = program(fault, time_limit);
  const ExternalRequest request{.settings = Json::object(), .robots = 6, .seed = toy::kSeed, .moments = moments};
  return make_external_workload(talk, describe_external(*talk, request), request);
}

struct Trace {
  bool interrupted = false;
  std::vector<double> values;
  std::vector<float> merged;
  bool operator==(const Trace&) const = default;
};

Trace run(Workload& workload, const FleetOptions& options, const std::string& method, const Comm& comm,
          const Checkpointing& checkpointing = {}) {
  const std::unique_ptr<Merger> merger = toy::quick_merger(method, options.rounds_after);
  Trace trace;
  const auto emit = [&](const RoundRecord& round) {
    for (const Metric& metric : round.metrics) trace.values.push_back(metric.value);
  };
  try {
    const CellResult result =
        run_cell(options, find_merger(method).regime, merger.get(), workload, comm, emit, checkpointing);
    if (result.merged) trace.merged.assign(result.merged->flat().begin(), result.merged->flat().end());
  } catch (const Interrupted&) {
    trace.interrupted = true;
  }
  return trace;
}

class ExternalWorkloadTest : public testing::Test {
 protected:
  Comm world_ = MpiSession::world();
  FleetOptions options_{.robots = 6,
                        .epochs = 4,
                        .merge_every = 2,
                        .participation = 0.6,
                        .local_tests = FleetOptions::LocalTests::kEvery};
};

TEST_F(ExternalWorkloadTest, robots_in_another_process_come_to_the_same_bits_as_here) {
  const Comm alone = world_.split(world_.rank());
  for (const MergerEntry& entry : merger_table()) {
    if (!toy::suits(entry)) continue;
    const std::string method(entry.name);
    for (const auto moments : {FleetOptions::Moments::kReset, FleetOptions::Moments::kAverage}) {
      options_.moments = moments;
      toy::DrawingWorkload inside;
      const Trace here = run(inside, options_, method, alone);
      const auto there = outside("", 60.0, moments != FleetOptions::Moments::kReset);
      EXPECT_EQ(run(*there, options_, method, world_), here) << method;
    }
  }
}

TEST_F(ExternalWorkloadTest, short_rounds_after_a_merge_come_to_the_same_bits_as_here) {
  const Comm alone = world_.split(world_.rank());
  options_.rounds_after = 2;  // consolidated: steps along gradients, and the curvature of the others' loss
  for (const std::string method : {"average", "regression"}) {
    toy::DrawingWorkload inside;
    const Trace here = run(inside, options_, method, alone);
    EXPECT_EQ(run(*outside(), options_, method, world_), here) << method;
  }
}

TEST_F(ExternalWorkloadTest, trials_are_those_of_the_draw) {
  toy::DrawingWorkload inside;
  const std::unique_ptr<Workload> there = outside();
  for (const int robot : {0, 3}) {
    const std::unique_ptr<Robot> own = inside.make_robot(robot);
    const std::unique_ptr<Robot> other = there->make_robot(robot);
    ParamVector weights(inside.symmetry().layout());
    own->initialize(weights);
    for (const std::uint64_t draw : {1, 2}) {
      const Score expected = own->trials(weights, 50, draw);
      const Score answered = other->trials(weights, 50, draw);
      EXPECT_EQ(answered.sum, expected.sum);
      EXPECT_EQ(answered.samples, expected.samples);
    }
  }
}

TEST_F(ExternalWorkloadTest, interrupted_and_resumed_in_other_processes_equals_uninterrupted) {
  Comm alone = world_.split(world_.rank());
  for (const std::string method : {"average", "regression", "local"}) {
    const Trace whole = run(*outside(), options_, method, alone);
    MemoryStore store;
    Trace last;
    for (int leg = 0;; ++leg) {
      int asked = 0;
      Comm& comm = leg % 2 == 0 ? world_ : alone;
      comm.set_stop_request([&asked, patience = 4 << leg] { return ++asked > patience; });
      last = run(*outside(), options_, method, comm, {.when = {}, .store = &store});
      comm.set_stop_request(nullptr);
      store.share(world_);
      if (world_.sum(last.interrupted ? 1 : 0) == 0) break;
      EXPECT_TRUE(store.warnings.empty());
    }
    EXPECT_EQ(last, whole) << method;
  }
}

std::string reason(const std::string& fault, const FleetOptions& options, const Comm& comm, double time_limit = 60.0) {
  return complaint([&] { run(*outside(fault, time_limit), options, "average", comm); });
}

TEST_F(ExternalWorkloadTest, a_program_that_dies_ends_the_cell_with_its_last_words) {
  const std::string why = reason("die", options_, world_);
  EXPECT_NE(why.find("was asked \"train\" and was ended by signal 6"), std::string::npos) << why;
  EXPECT_NE(why.find("first words; out of cheese"), std::string::npos) << why;
}

TEST_F(ExternalWorkloadTest, a_program_that_hangs_is_ended) {
  const std::string why = reason("hang", options_, world_, 0.3);
  EXPECT_NE(why.find("\"train\" and gave no answer within 0.3 s (run.external.time_limit)"), std::string::npos) << why;
}

TEST_F(ExternalWorkloadTest, answers_that_are_none_are_named) {
  EXPECT_NE(reason("chatter", options_, world_).find("answered with what is no JSON: what?"), std::string::npos);
  const std::string loss = reason("nan", options_, world_);
  EXPECT_NE(loss.find("robot 0: the training loss is no longer finite"), std::string::npos) << loss;
  const std::string weights = reason("infinite", options_, world_);
  EXPECT_NE(weights.find("robot 0: the loss became"), std::string::npos) << weights;
  const std::string shape = reason("count", options_, world_);
  EXPECT_NE(shape.find("axis 0 of layers.0.weight has extent 5"), std::string::npos) << shape;
}

TEST_F(ExternalWorkloadTest, another_version_of_the_protocol_is_refused) {
  const std::string why = complaint([] { program("old"); });
  EXPECT_NE(why.find("speaks version 7 of the protocol; this program speaks version 1"), std::string::npos) << why;
}

}  // namespace
}  // namespace fleet

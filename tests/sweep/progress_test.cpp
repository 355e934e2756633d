#include "sweep/progress.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <sstream>
#include <thread>

namespace fleet {
namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++found;
  return found;
}

bool contains(const std::string& text, const std::string& part) {
  return count(text, part) > 0;
}

/// So much of a cell, of its training as of the rest.
CellShare so_much(double share) {
  return {.trained = share, .rest = share};
}

/// Lets the first second go by, after which speeds are told.
void wait_for_speed() {
  std::this_thread::sleep_for(std::chrono::milliseconds(1050));
}

TEST(DurationText, takes_the_two_units_that_matter) {
  EXPECT_EQ(duration_text(0), "0 s");
  EXPECT_EQ(duration_text(42), "42 s");
  EXPECT_EQ(duration_text(59.4), "59 s");
  EXPECT_EQ(duration_text(59.6), "1 min 0 s");
  EXPECT_EQ(duration_text(200), "3 min 20 s");
  EXPECT_EQ(duration_text(3599.4), "59 min 59 s");
  EXPECT_EQ(duration_text(3599.6), "1 h 0 min");
  EXPECT_EQ(duration_text(7500), "2 h 5 min");
  EXPECT_EQ(duration_text(360000), "100 h 0 min");
}

/// That of a cell without training, of one with `training`, in shares of both together.
double share_without(const CellSeconds& seconds, double training) {
  return seconds.of(0.0, 1) / seconds.of(training, 2);
}

TEST(CellSeconds, are_in_proportion_to_trainings_at_first_with_a_tenth_for_merges_and_tests) {
  for (const double usual : {1e-3, 1.0, 1e12}) {
    const CellSeconds seconds(usual);
    EXPECT_DOUBLE_EQ(share_without(seconds, usual), 0.1 / 1.2);
    EXPECT_DOUBLE_EQ(seconds.of(3.0 * usual, 3), 3.0 * seconds.of(usual, 1));
  }
}

TEST(CellSeconds, learn_what_cells_take_that_need_not_train_from_one_that_does) {
  for (const double usual : {1e-3, 1.0, 1e12}) {
    CellSeconds seconds(usual);
    seconds.note(usual, 2.0, 7.0);
    EXPECT_DOUBLE_EQ(seconds.of(0.0, 1), 7.0);
    EXPECT_DOUBLE_EQ(seconds.of(2.0 * usual, 1), 11.0);
    seconds.note(0.0, 0.0, 5.0);
    EXPECT_DOUBLE_EQ(seconds.of(usual, 1), 8.0);
  }
}

TEST(CellSeconds, guess_what_training_takes_from_cells_that_need_none) {
  CellSeconds seconds(3.0);
  seconds.note(0.0, 0.0, 5.0);
  EXPECT_DOUBLE_EQ(seconds.of(3.0, 1), 55.0);
}

TEST(Progress, follows_the_time_that_cells_take_rather_than_their_training) {
  std::ostringstream out;
  Progress progress(out, 1.0, 10, 1, true, 1);  // one trains, the others go on from what it has trained
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  progress.cell_finished(1.0, 0.1, "trains", "");
  const std::string text = out.str().substr(out.str().rfind(']') + 1);
  EXPECT_TRUE(contains(text, "1/10 cells")) << text;
  EXPECT_GE(std::stoi(text), 10) << text;  // (0.1 + rest) of (0.1 + 10 rest), of which the rest is 0.1 s or more
  EXPECT_LE(std::stoi(text), 19) << text;
}

TEST(Progress, training_that_another_cell_did_is_none_of_its_time) {
  std::ostringstream out;
  Progress progress(out, 1.0, 4, 1, true, 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  progress.cell_finished(1.0, 1e-9, "trains", "");
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  progress.cell_finished(0.0, 1e9, "merges", "");  // as the cell before took, which is handed on
  const std::string text = out.str().substr(out.str().rfind(']') + 1);
  EXPECT_EQ(std::stoi(text), 50) << text;
}

TEST(Progress, takes_no_more_for_training_than_the_cell_has_lasted) {
  std::ostringstream out;
  Progress progress(out, 2.0, 2, 1, true);
  progress.cell_finished(1.0, 1e9, "cell", "");
  EXPECT_TRUE(contains(out.str(), "]  50 %  1/2 cells")) << out.str();
}

TEST(Progress, a_log_has_whole_lines_and_no_control_characters) {
  std::ostringstream out;
  Progress progress(out, 10.0, 2, 1, false);
  progress.advance(so_much(1.0), 5.0, "round 1 of 1, seed=0");
  progress.cell_finished(5.0, 0.0, "seed=0", "");
  progress.advance(so_much(1.0), 5.0, "round 1 of 1, seed=1");
  progress.cell_finished(5.0, 0.0, "seed=1", "");
  progress.close();
  const std::string text = out.str();
  EXPECT_EQ(text.find('\r'), std::string::npos);
  EXPECT_EQ(text.find('\033'), std::string::npos);
  EXPECT_EQ(text.back(), '\n');
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_EQ(line.find("fleet: "), 0U) << line;
}

TEST(Progress, cells_that_others_have_ended_count) {
  std::ostringstream out;
  Progress progress(out, 4.0, 4, 2, false);
  progress.cell_finished(1.0, 0.0, "cell", "");
  progress.tell(3);
  EXPECT_EQ(out.str(), "");
  progress.cell_finished(1.0, 0.0, "cell", "");
  progress.tell(4);
  EXPECT_TRUE(contains(out.str(), "100 %  4/4 cells")) << out.str();
  progress.tell(4);
  EXPECT_EQ(count(out.str(), "4/4"), 1U);
}

TEST(Progress, a_log_tells_the_first_step_and_the_last_cell_but_not_every_step) {
  std::ostringstream out;
  Progress progress(out, 1000.0, 10, 1, false);
  for (int cell = 0; cell < 10; ++cell) {
    for (int step = 1; step <= 100; ++step) progress.advance(so_much(0.01 * step), 100.0, "step");
    progress.cell_finished(100.0, 0.0, "cell", "");
  }
  EXPECT_EQ(count(out.str(), "\n"), 2U) << out.str();
  EXPECT_TRUE(contains(out.str(), "fleet:   0 %  0/10 cells"));
  EXPECT_TRUE(contains(out.str(), "fleet: 100 %  10/10 cells  cell\n"));
}

TEST(Progress, a_bar_is_redrawn_in_its_line_and_ended_by_close) {
  std::ostringstream out;
  Progress progress(out, 4.0, 4, 1, true);
  for (int cell = 0; cell < 4; ++cell) {
    progress.advance(so_much(1.0), 1.0, "step");
    progress.cell_finished(1.0, 0.0, "cell", "");
  }
  EXPECT_EQ(count(out.str(), "\n"), 0U);
  progress.close();
  const std::string text = out.str();
  EXPECT_EQ(count(text, "\n"), 1U);
  EXPECT_EQ(text.back(), '\n');
  EXPECT_EQ(text.find("\r\033[K["), 0U);
  EXPECT_TRUE(contains(text, "[" + std::string(14, '=') + std::string(14, ' ') + "]  50 %  2/4 cells"));
  EXPECT_TRUE(contains(text, "[" + std::string(28, '=') + "] 100 %  4/4 cells  cell"));
}

TEST(Progress, a_failure_is_told_at_once_on_a_line_of_its_own) {
  for (const bool watched : {false, true}) {
    std::ostringstream out;
    Progress progress(out, 4.0, 4, 1, watched);
    progress.advance(so_much(1.0), 1.0, "step");
    progress.cell_finished(1.0, 0.0, "seed=0", "robot 3: the loss is no longer finite");
    const std::string told = "fleet: failed: seed=0: robot 3: the loss is no longer finite\n";
    EXPECT_TRUE(contains(out.str(), (watched ? "\r\033[K" : "\n") + told)) << out.str();
    EXPECT_EQ(count(out.str(), "failed"), 1U);
  }
}

TEST(Progress, a_cell_that_fails_early_counts_as_a_whole) {
  std::ostringstream out;
  Progress progress(out, 4.0, 4, 1, true);
  progress.advance(so_much(0.1), 1.0, "round 1 of 10");
  progress.cell_finished(1.0, 0.0, "seed=0", "diverged");
  EXPECT_TRUE(contains(out.str(), "]  25 %  1/4 cells")) << out.str();
}

TEST(Progress, a_finished_sweep_is_at_one_hundred_percent_whatever_the_rounding) {
  for (const int steps : {3, 7, 10, 49}) {
    std::ostringstream out;
    const double total = 1.0;
    Progress progress(out, total, 1, 1, false);
    for (int step = 1; step <= steps; ++step) progress.advance(so_much(1.0 * step / steps), total, "step");
    progress.cell_finished(total, 0.0, "cell", "");
    EXPECT_TRUE(contains(out.str(), "100 %  1/1 cells  cell\n")) << out.str();
  }
}

TEST(Progress, shares_stay_within_bounds_whatever_the_costs) {
  std::ostringstream out;
  Progress nothing(out, 0.0, 0, 1, true);
  nothing.advance(so_much(0.0), 0.0, "idle");
  nothing.close();
  EXPECT_TRUE(contains(out.str(), "[" + std::string(28, ' ') + "]   0 %  0/0 cells")) << out.str();
  out.str("");
  Progress beyond(out, 1.0, 1, 1, true);
  beyond.advance(so_much(5.0), 1.0, "more than was planned");
  EXPECT_TRUE(contains(out.str(), "[" + std::string(28, '=') + "] 100 %")) << out.str();
}

TEST(Progress, long_labels_are_cut_where_they_would_break_the_line_only) {
  const std::string label(100, 'x');
  std::ostringstream bar;
  Progress(bar, 1.0, 2, 1, true).advance(so_much(0.5), 0.5, label);
  EXPECT_TRUE(contains(bar.str(), std::string(47, 'x') + "…"));
  EXPECT_FALSE(contains(bar.str(), std::string(48, 'x')));
  std::ostringstream log;
  Progress(log, 1.0, 2, 1, false).advance(so_much(0.5), 0.5, label);
  EXPECT_TRUE(contains(log.str(), label + "\n"));
}

TEST(Progress, a_label_is_not_cut_within_a_character) {
  std::string label;
  for (int i = 0; i < 60; ++i) label += "ü";  // two bytes each, so that 47 bytes are no whole number of them
  std::ostringstream out;
  Progress(out, 1.0, 2, 1, true).advance(so_much(0.5), 0.5, label);
  EXPECT_TRUE(contains(out.str(), "ü…")) << out.str();
}

TEST(Progress, long_training_before_short_rounds_is_most_of_a_cell) {
  std::ostringstream out;
  Progress progress(out, 10.0, 10, 1, true);
  progress.advance({.trained = 0.5, .rest = 0.0}, 1.0, "round 1 of 11");
  EXPECT_TRUE(contains(out.str(), "]   4 %  0/10 cells")) << out.str();  // a tenth is guessed to be merges and tests
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  progress.advance({.trained = 1.0, .rest = 1.0 / 11.0}, 1.0, "round 1 of 11");
  EXPECT_TRUE(contains(out.str(), "]   9 %  0/10 cells")) << out.str();
  EXPECT_EQ(count(out.str(), "]"), 2U);
}

TEST(Progress, the_time_left_follows_from_the_share_done) {
  std::ostringstream out;
  Progress progress(out, 100.0, 10, 1, true);
  wait_for_speed();
  progress.advance(so_much(0.1), 10.0, "step");  // a hundredth in a good second leaves minutes
  EXPECT_TRUE(contains(out.str(), " min ")) << out.str();
  EXPECT_TRUE(contains(out.str(), " s left")) << out.str();
}

TEST(Progress, speeds_are_plain_numbers) {
  std::ostringstream out;
  Progress progress(out, 400.0, 400, 1, false);
  for (int cell = 0; cell < 399; ++cell) progress.cell_finished(1.0, 0.0, "cell", "");
  wait_for_speed();
  progress.advance(so_much(1.0), 1.0, "last");
  progress.cell_finished(1.0, 0.0, "cell", "");
  EXPECT_TRUE(contains(out.str(), " cells/min")) << out.str();
  EXPECT_FALSE(contains(out.str(), "e+")) << out.str();
}

}  // namespace
}  // namespace fleet

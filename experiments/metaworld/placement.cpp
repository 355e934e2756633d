#include "metaworld/placement.hpp"

#include <algorithm>
#include <numbers>

namespace fleet::metaworld {

Vec3 Stage::body(const char* name) const {
  return position_of(data_, Frame::Kind::kBody, scene_.id(mjOBJ_BODY, name));
}

Vec3 Stage::site(const char* name) const {
  return position_of(data_, Frame::Kind::kSite, scene_.id(mjOBJ_SITE, name));
}

Vec3 Stage::geom(const char* name) const {
  return position_of(data_, Frame::Kind::kGeom, scene_.id(mjOBJ_GEOM, name));
}

void Stage::move(const char* body, const Vec3& to) {
  moved_ = {.id = scene_.id(mjOBJ_BODY, body), .position = to};
  Vec3::Map(scene_.model().body_pos + 3 * moved_.id) = to;
}

void Stage::set_joints(int index, std::initializer_list<double> positions, int first_velocity, int last_velocity) {
  std::copy(positions.begin(), positions.end(), data_.qpos + index);
  std::fill(data_.qvel + first_velocity, data_.qvel + last_velocity, 0.0);
  forward();
}

void Stage::set_joint_quietly(const char* joint, double position) {
  data_.qpos[scene_.model().jnt_qposadr[scene_.id(mjOBJ_JOINT, joint)]] = position;
}

void Stage::set_joint(const char* joint, double position) {
  set_joint_quietly(joint, position);
  data_.qvel[scene_.model().jnt_dofadr[scene_.id(mjOBJ_JOINT, joint)]] = 0;
  forward();
}

void Stage::forward() {
  mj_forward(&scene_.model(), &data_);
}

void Stage::step(int times) {
  for (int i = 0; i < times; ++i) mj_step(&scene_.model(), &data_);
}

namespace placements {
namespace {

constexpr double kQuarterTurn = 1.5708;  // the reference's

Vec3 at_height(const Vec3& v, double z) {
  return {v.x(), v.y(), z};
}

}  // namespace

void assembly(Stage& stage) {
  stage.target = stage.drawn.goal;
  stage.put(stage.drawn.object);
  stage.move("peg", stage.target - Vec3(0, 0, 0.05));
}

void disassemble(Stage& stage) {
  const Vec3& nut = stage.drawn.object;
  stage.target = nut + Vec3(0, 0, 0.15);
  stage.move("peg", nut + Vec3(0, 0, 0.03));
  stage.forward();
  stage.put(nut);
}

void basketball(Stage& stage) {
  stage.move("basket_goal", stage.drawn.goal);
  stage.put(at_height(stage.drawn.object, 0.03F));
  stage.target = stage.site("goal");
}

void bin_picking(Stage& stage) {
  stage.put(at_height(stage.drawn.object, stage.body("obj").z()));
  stage.target = stage.body("bin_goal");
}

void box_close(Stage& stage) {
  stage.target = stage.drawn.goal;
  stage.move("boxbody", at_height(stage.target, stage.body("boxbody").z()));
  stage.step(5);
  stage.put(at_height(stage.drawn.object, 0.02F));
}

void button_press_topdown(Stage& stage) {
  stage.move("box", stage.drawn.object);
  stage.forward();
  stage.target = stage.site("hole");
}

void button_press(Stage& stage) {
  stage.move("box", stage.drawn.object);
  stage.set_joints(Stage::kObject, {0}, Stage::kObject, Stage::kObject + 1);
  stage.target = stage.site("hole");
}

// In the coffee scene the mug comes before the arm: its joint is the first, while the velocities that the reference
// stops are the arm's.
namespace {
void put_mug(Stage& stage, const Vec3& mug) {
  stage.set_joints(0, {mug.x(), mug.y(), mug.z()}, Stage::kObject, Stage::kObject + 6);
}
const Vec3 kMugToMachine(0, 0.22, 0);
}  // namespace

void coffee_button(Stage& stage) {
  const Vec3& machine = stage.drawn.object;
  stage.move("coffee_machine", machine);
  put_mug(stage, machine - kMugToMachine);
  stage.target = machine + Vec3(0, -0.19, 0.3);
}

void coffee_pull(Stage& stage) {
  put_mug(stage, stage.drawn.object);
  stage.move("coffee_machine", stage.drawn.object + kMugToMachine);
  stage.target = stage.drawn.goal;
}

void coffee_push(Stage& stage) {
  put_mug(stage, stage.drawn.object);
  stage.move("coffee_machine", stage.drawn.goal + kMugToMachine);
  stage.target = stage.drawn.goal;
}

void dial_turn(Stage& stage) {
  stage.target = stage.drawn.object + Vec3(0, 0.03, 0.03);
  stage.move("dial", stage.drawn.object);
}

void door_close(Stage& stage) {
  stage.target = stage.drawn.object + Vec3(0.2, -0.2, 0);
  stage.move("door", stage.drawn.object);
  stage.set_joint("doorjoint", -kQuarterTurn);
}

void door_open(Stage& stage) {
  stage.target = stage.drawn.object + Vec3(-0.3, -0.45, 0);
  stage.move("door", stage.drawn.object);
  stage.set_joint("doorjoint", 0);
}

void door_lock(Stage& stage) {
  stage.move("door", stage.drawn.object);
  stage.step(5);
  stage.target = stage.body("lock_link") + Vec3(0, -0.04, -0.1);
}

void door_unlock(Stage& stage) {
  stage.move("door", stage.drawn.object);
  stage.set_joints(Stage::kObject, {kQuarterTurn}, Stage::kObject, Stage::kObject + 1);
  stage.target = stage.body("lock_link") + Vec3(0.1, -0.04, 0);
}

void drawer_close(Stage& stage) {
  stage.move("drawer", stage.drawn.object);
  stage.target = stage.drawn.object + Vec3(0, -0.16, 0.09);
  stage.set_joints(Stage::kObject, {-0.15}, 0, 0);
}

void drawer_open(Stage& stage) {
  stage.move("drawer", stage.drawn.object);
  stage.target = stage.drawn.object + Vec3(0, -0.16 - 0.2, 0.09);
}

void faucet_open(Stage& stage) {
  stage.move("faucetBase", stage.drawn.object);
  stage.target = stage.drawn.object + Vec3(0.175, 0, 0.125);
}

void faucet_close(Stage& stage) {
  stage.move("faucetBase", stage.drawn.object);
  stage.target = stage.drawn.object + Vec3(-0.175, 0, 0.125);
  stage.forward();
}

void hammer(Stage& stage) {
  stage.move("box", {0.24, 0.85, 0});
  stage.target = stage.site("goal");
  stage.put(stage.drawn.object);
}

void hand_insert(Stage& stage) {
  stage.target = stage.drawn.goal;
  stage.put(at_height(stage.drawn.object, 0.05));
}

void handle_press(Stage& stage) {
  stage.move("box", stage.drawn.object);
  stage.set_joints(Stage::kObject, {-0.001}, Stage::kObject, Stage::kObject + 1);
  stage.target = stage.site("goalPress");
}

void handle_pull(Stage& stage) {
  stage.move("box", stage.drawn.object);
  stage.set_joints(Stage::kObject, {-0.1}, Stage::kObject, Stage::kObject + 1);
  stage.target = stage.site("goalPull");
}

void lever_pull(Stage& stage) {
  stage.move("lever", stage.drawn.object);
  stage.target = stage.drawn.object + Vec3(0.12, 0, 0.45);
}

void object_as_drawn(Stage& stage) {
  stage.target = stage.drawn.goal;
  stage.put(stage.drawn.object);
}

void object_on_table(Stage& stage) {
  const double height = stage.geom("objGeom").z();
  stage.target = at_height(stage.drawn.goal, height);
  stage.put(at_height(stage.drawn.object, height));
}

void push(Stage& stage) {
  const double height = stage.body("obj").z();
  stage.target = at_height(stage.drawn.goal, height);
  stage.put(at_height(stage.drawn.object, height));
}

void sweep(Stage& stage) {
  stage.put(at_height(stage.drawn.object, 0.02));
  stage.target = {0.5, stage.drawn.object.y(), 0.01};
}

void sweep_into(Stage& stage) {
  stage.put(at_height(stage.drawn.object, stage.body("obj").z()));
  stage.target = {0, 0.84, 0.02};
}

// The puck's two slides are measured from its place in the scene. The reference means to move the goal's box in all
// four plate tasks, and does in two.
namespace {
void slide_puck(Stage& stage, double x, double y) {
  stage.set_joints(Stage::kObject, {x, y}, 0, 0);
  stage.target = stage.drawn.goal;
}
}  // namespace

void plate_slide(Stage& stage) {
  stage.move("puck_goal", stage.drawn.goal);
  slide_puck(stage, 0, 0);
}

void plate_slide_side(Stage& stage) {
  slide_puck(stage, 0, 0);
}

void plate_slide_back(Stage& stage) {
  slide_puck(stage, 0, 0.15);
}

void plate_slide_back_side(Stage& stage) {
  stage.move("puck_goal", stage.drawn.object);
  slide_puck(stage, -0.15, 0);
}

void peg_insert_side(Stage& stage) {
  stage.put(stage.drawn.object);
  stage.move("box", stage.drawn.goal);
  stage.target = stage.drawn.goal + Vec3(0.03, 0, 0.13);
}

void peg_unplug_side(Stage& stage) {
  const Vec3 plug = stage.drawn.object + Vec3(0.044, 0, 0.131);
  stage.move("box", stage.drawn.object);
  stage.set_joints(Stage::kObject, {plug.x(), plug.y(), plug.z(), 1, 0, 0, 0}, Stage::kObject, Stage::kObject + 3);
  stage.target = plug + Vec3(0.15, 0, 0);
}

void shelf_place(Stage& stage) {
  const double height = stage.body("obj").z();
  stage.move("shelf", stage.drawn.goal - Vec3(0, 0, 0.3));
  stage.forward();
  stage.target = stage.drawn.goal;
  stage.put(at_height(stage.drawn.object, height));
}

void soccer(Stage& stage) {
  stage.target = stage.drawn.goal;
  stage.move("goal_whole", stage.drawn.goal);
  stage.put(at_height(stage.drawn.object, 0.03));
}

// The thermos slides along two joints after the stick's seven numbers. The reference stops only the second one's
// velocity: its slice runs off the end.
namespace {
void set_thermos(Stage& stage, double x, double y) {
  stage.put(at_height(stage.drawn.object, 0.02));
  constexpr int kThermos = Stage::kObject + 7;
  stage.set_joints(kThermos, {x, y}, kThermos, kThermos + 1);
}
}  // namespace

void stick_push(Stage& stage) {
  stage.target = at_height(stage.drawn.goal, stage.site("insertion").z());
  set_thermos(stage, 0, 0);
}

void stick_pull(Stage& stage) {
  stage.target = at_height(stage.drawn.goal, 0.02);
  set_thermos(stage, 0, 0.09);
}

void window_open(Stage& stage) {
  stage.move("window", stage.drawn.object);
  stage.target = stage.drawn.object + Vec3(0.2, 0, 0);
  stage.set_joint_quietly("window_slide", 0);
}

void window_close(Stage& stage) {
  stage.move("window", stage.drawn.object);
  stage.target = stage.drawn.object;
  stage.set_joint_quietly("window_slide", 0.2);
}

}  // namespace placements
}  // namespace fleet::metaworld

"""A small engine, trained once: six intents a person can tell apart, eight sentences each."""

from __future__ import annotations

import pytest

from nlu.formats import TrainingData
from nlu.local.engine import LocalEngine
from nlu.training import train

SENTENCES = {
    "faq/league_join_how": (
        "怎么入团 入团流程是什么 我想加入共青团 入团申请书交给谁 "
        "高一想入团找谁 怎样成为团员 申请入团要多久 入团第一步做什么"
    ),
    "faq/league_fee": (
        "团费怎么交 团费交多少 欠了团费怎么办 一个月团费几块钱 "
        "团费可以补交吗 交团费在哪里 学生团费多少钱 团费能微信交吗"
    ),
    "faq/venue_rules": (
        "场地能带吃的吗 青年之家几点关门 场地有什么规定 青年之家可以带小孩吗 "
        "场地弄脏了怎么办 青年之家开放时间 场地能停车吗 青年之家要身份证吗"
    ),
    "ticket_status": (
        "我的工单到哪了 查一下办理进度 工单处理得怎么样了 我反映的事有结果吗 "
        "工单还没人处理吗 帮我查工单 工单现在什么状态 上次的工单有回复吗"
    ),
    "human_handoff": ("转人工 我要找真人 人工客服在吗 不想跟机器人说话 给我接人工 有没有真人 叫个人来 人工服务"),
    "out_of_scope": (
        "今天天气怎么样 讲个笑话 比特币多少钱 推荐一部电影 附近哪家火锅好吃 双鱼座运势 昨晚球赛谁赢了 怎么减肥最快"
    ),
}


@pytest.fixture(scope="session")
def small_data() -> TrainingData:
    return TrainingData.from_texts({label: line.split() for label, line in SENTENCES.items()})


@pytest.fixture(scope="session")
def engine(small_data: TrainingData) -> LocalEngine:
    return train(small_data)

// Command classify prints the genres of one audio file, as a Segue server scores them.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	segue "segue.example/classify/segue/v1"
)

// A message contains up to 16 MiB of audio; the default limit of gRPC is 4 MiB.
const maxMessageBytes = 32 << 20

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: classify HOST:PORT FILE")
	}
	if err := classify(os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func classify(address, file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	connection, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(maxMessageBytes), grpc.MaxCallRecvMsgSize(maxMessageBytes)))
	if err != nil {
		return err
	}
	defer connection.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	response, err := segue.NewClassificationServiceClient(connection).Classify(ctx,
		&segue.ClassifyRequest{Audio: &segue.Audio{Content: content}})
	if err != nil {
		return err
	}
	for _, score := range response.Scores {
		fmt.Printf("%s\t%.3f\n", score.Genre, score.Score)
	}
	return nil
}
